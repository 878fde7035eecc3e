/**
 * Reads recorded event streams, and plays one on a fake engine: first the container changes, then the event
 * follows.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { FakeEngine } from "../engine/fake.ts";
import type { FakeContainer } from "../engine/replies.ts";

const RECORDINGS = join(import.meta.dir, "events");

export type RecordedEvent = {
  readonly Action: string;
  /** Only in Podman's events, whose action does not say the result. */
  readonly HealthStatus?: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly timeNano: number;
};

/** The names of all recordings, for `readRecording()`. */
export function recordingNames(): readonly string[] {
  return readdirSync(RECORDINGS, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ndjson"))
    .map((path) => path.replace(/\.ndjson$/, ""))
    .sort();
}

/** @param name folder and file without the ending: `docker-20.10.24/03-stop-ignored-then-sigkill` */
export function readRecording(name: string): readonly RecordedEvent[] {
  return readFileSync(join(RECORDINGS, `${name}.ndjson`), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as RecordedEvent);
}

type Effect = (container: FakeContainer, timeMs: number) => void;

/** Event → the container's state in inspect from then on. */
const EFFECTS: Readonly<Record<string, Effect>> = {
  start: (container, timeMs) => {
    container.status = "running";
    container.health = "starting";
    container.startedAtMs = timeMs - 0.01;
  },
  die: exited,
  stop: exited, // Docker 26 sends it before `die`
  pause: (container) => {
    container.status = "paused";
    container.health = "unhealthy";
  },
  unpause: (container) => {
    container.status = "running";
  },
  "health_status: healthy": (container) => {
    container.health = "healthy";
  },
  "health_status: unhealthy": (container) => {
    container.health = "unhealthy";
  },
};

function exited(container: FakeContainer): void {
  container.status = "exited";
  container.health = "unhealthy";
}

/** Changes the container as the event says, 0.01 ms before the time of the event. */
export function apply(event: RecordedEvent, container: FakeContainer, timeMs: number): void {
  EFFECTS[event.Action]?.(container, timeMs);
  if (event.HealthStatus !== undefined) container.health = event.HealthStatus;
}

/** The attributes of an event. */
export function attributesOf({ Actor }: RecordedEvent): Readonly<Record<string, string>> {
  const { signal, exitCode } = Actor.Attributes;
  return { ...(signal && { signal }), ...(exitCode && { exitCode }) };
}

/**
 * Plays a recording. Its containers are at `port` of this host.
 *
 * @param settled awaited after each event, before the next one
 */
export async function play(
  engine: FakeEngine,
  name: string,
  port: number,
  settled: (event: RecordedEvent) => Promise<void>,
): Promise<void> {
  for (const event of readRecording(name)) {
    const { ID, Attributes } = event.Actor;
    const container =
      engine.containers.get(ID) ??
      engine.add({
        id: ID,
        name: Attributes["name"] ?? ID,
        port,
        status: "created",
        health: "starting",
      });
    const timeMs = Date.now();
    if (event.Action === "destroy") engine.containers.delete(ID);
    apply(event, container, timeMs);
    engine.emit(container, event.Action, attributesOf(event), timeMs);
    await settled(event);
  }
}
