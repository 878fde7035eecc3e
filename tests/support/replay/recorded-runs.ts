/** The runs of a recording's only container, taken from its events. Plays nothing: see recordings.ts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ContainerEvent, readEvents } from "../../../src/engine/events.ts";
import type { PastRun } from "../../../src/sources/docker/run-facts.ts";
import { RunHistory } from "../../../src/sources/docker/run-history.ts";

/** @param name see `readRecording()` */
export async function recordedEvents(name: string): Promise<readonly ContainerEvent[]> {
  const bytes = readFileSync(join(import.meta.dir, "events", `${name}.ndjson`));
  const events = await Array.fromAsync(readEvents(new Blob([bytes]).stream()));
  return events.filter((event) => event.kind !== "swarm changed");
}

export async function recordedRuns(name: string): Promise<readonly PastRun[]> {
  const history = new RunHistory();
  const events = await recordedEvents(name);
  for (const event of events) history.record(event);
  return history.runsOf(events[0]?.containerId ?? "");
}
