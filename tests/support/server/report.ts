/** A report about one server, its log, and sightings of the server. */
import { type Container, parseContainer } from "../../../src/engine/container.ts";
import { Holding } from "../../../src/fleet/holding.ts";
import { Report, type Subject } from "../../../src/fleet/report.ts";
import { RoutingTable } from "../../../src/routing/table.ts";
import { observe } from "../../../src/sources/docker/observe.ts";
import type { Sighting } from "../../../src/sources/sighting.ts";
import { Changes } from "../../../src/telemetry/changes.ts";
import { readFixture } from "../engine/replies.ts";
import { type MemoryLog, memoryLog } from "../proxy/memory-log.ts";
import { NOBODY } from "../proxy/nobody.ts";
import { FOLLOWING } from "./sightings.ts";

export const HEALTHY: Container = {
  ...parseContainer(readFixture("docker-20.10.24-healthy.json")),
  labels: { "inference.enable": "true" },
};

export function seen(change: Partial<Container> = {}): Sighting {
  const around = { place: { kind: "host" }, itself: NOBODY, isStopping: () => false } as const;
  return observe({ ...HEALTHY, ...change }, around);
}

export const STARTING = seen({ health: "starting" });
export const EXITED = seen({ status: "exited", exitCode: 1 });

type Rig = {
  readonly report: Report;
  readonly log: MemoryLog;
  readonly changes: Changes;
  readonly subject: Subject;
};

export function rig(): Rig {
  const [log, changes] = [memoryLog(), new Changes()];
  const holding = new Holding("n", {
    table: new RoutingTable(),
    log,
    drainTimeoutMs: 1,
    readModels: async () => ({ models: [] }),
    source: FOLLOWING,
    onOverlap: () => undefined,
    onProgress: () => undefined,
  });
  return {
    report: new Report(log, 0, changes),
    log,
    changes,
    subject: { id: "i", name: "n", holding, isDrained: false },
  };
}

export function lines({ log }: Rig): readonly string[] {
  return log.lines.map(({ level, message }) => `${level} ${message}`);
}

/** Its last reported changes, the latest first. */
export function changesOf({ changes }: Rig): readonly string[] {
  return changes.latest.map(({ state, reason, times }) => `${times}: ${state}, ${reason}`);
}
