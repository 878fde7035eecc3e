/**
 * Both sources of an engine, the fleet and a routing table as compose.ts connects them, against a fake
 * engine.
 */
import { Engine } from "../../../src/engine/engine.ts";
import { Fleet } from "../../../src/fleet/fleet.ts";
import { readModels } from "../../../src/fleet/models.ts";
import type { Place } from "../../../src/sources/docker/address.ts";
import { DockerSource } from "../../../src/sources/docker/docker.ts";
import { SwarmSource, type SwarmSourceInit } from "../../../src/sources/swarm/swarm.ts";
import type { ContainerStatus, ServiceStatus } from "../../../src/status.ts";
import type { FakeEngine } from "../engine/fake.ts";
import type { FakeTask } from "../engine/swarm-shapes.ts";
import { until } from "../until.ts";
import { type MemoryLog, memoryLog } from "./memory-log.ts";
import { WatchedTable } from "./watched-table.ts";

export type SwarmRig = Disposable & {
  readonly table: WatchedTable;
  readonly log: MemoryLog;
  readonly fleet: Fleet;
  readonly docker: DockerSource;
  readonly swarm: SwarmSource;
  /** The status of each container and each task, by name. */
  readonly members: () => readonly ContainerStatus[];
  readonly service: (name?: string) => ServiceStatus | undefined;
};

export type SwarmOptions = Pick<SwarmSourceInit, "times" | "resolve"> & {
  readonly drainTimeoutMs?: number;
  readonly callTimeoutMs?: number;
  /** The proxy's place. By default the source of containers finds it. */
  readonly place?: () => Place;
  readonly ownContainerId?: string;
  readonly listeningPort?: number;
  /** The swarm's source makes these calls to another engine than the fake one. */
  readonly engine?: Partial<SwarmSourceInit["engine"]>;
};

export type HeldLease = {
  readonly origin: string;
  /** The backend was closed, and the request ended with it. */
  readonly isClosed: () => boolean;
  readonly end: () => void;
};

const NOBODY = async (): Promise<readonly string[]> => {
  throw new Error("ENOTFOUND");
};

export function startSwarm(
  fake: Pick<FakeEngine, "socketPath">,
  options: SwarmOptions = {},
): SwarmRig {
  const [table, log, stopping] = [new WatchedTable(), memoryLog(), new AbortController()];
  const { signal } = stopping;
  const engine = new Engine({ kind: "unix", path: fake.socketPath }, options.callTimeoutMs);
  const { drainTimeoutMs = 60_000, place, ownContainerId, resolve = NOBODY } = options;
  const fleet = new Fleet({
    ...{ table, log, drainTimeoutMs },
    // After disposal it asks no server: the port may belong to another test's server by then.
    readModels: (...asked) =>
      signal.aborted ? new Promise(() => undefined) : readModels(...asked),
  });
  const swarm = new SwarmSource({
    engine: {
      services: () => engine.services(),
      tasks: () => engine.tasks(),
      nodes: () => engine.nodes(),
      attachments: () => engine.attachments(),
      inspect: (id) => engine.inspect(id),
      ...options.engine,
    },
    ...{ fleet, log, drainTimeoutMs, ownContainerId, resolve },
    own: async () => {
      const own = await docker.own();
      return place === undefined ? own : { ...own, place: place() };
    },
    onChange: () => void docker.resync(),
    times: { pollMs: 20, askMs: 3_600_000, handoverMs: 500, ...options.times },
  });
  const docker: DockerSource = new DockerSource({
    ...{ engine, fleet, log, drainTimeoutMs, tasks: swarm },
    own: {
      containerId: ownContainerId,
      addresses: () => [],
      listening: { host: undefined, port: options.listeningPort ?? 0 },
      program: "proxy",
      lookUpHost: async () => undefined,
      remote: undefined,
    },
    times: { settleMs: 10, lookPaceMs: 5, resyncMs: 3_600_000 },
  });
  for (const source of [docker, swarm]) source.follow(signal).catch(() => undefined);
  return {
    ...{ table, log, fleet, docker, swarm },
    members: () => fleet.members,
    service: (name = "vllm") => swarm.status?.services.find((one) => one.name === name),
    [Symbol.dispose]: () => stopping.abort(),
  };
}

export function stateOfTask(rig: SwarmRig, { id }: Pick<FakeTask, "id">): string | undefined {
  return rig.members().find((member) => member.id === id)?.state;
}

/** @param state undefined: the task is unknown */
export async function untilTask(
  rig: SwarmRig,
  task: Pick<FakeTask, "id">,
  state: string | undefined,
  boundMs?: number,
): Promise<void> {
  await until(
    `the task is ${state} (it is ${stateOfTask(rig, task)})`,
    () => stateOfTask(rig, task) === state,
    boundMs,
  );
}

/** Waits until the answer to a later poll has been processed. */
export async function nextReads(fake: Pick<FakeEngine, "requests">, count = 2): Promise<void> {
  const asked = (): number => fake.requests.filter((path) => path.endsWith("/tasks")).length;
  const before = asked();
  await until("the tasks have been read again", () => asked() >= before + count);
}

/** A request in flight on a server with this model. */
export function leaseFrom(rig: SwarmRig, model = "m"): HeldLease {
  const route = rig.table.route(model);
  if (route.kind !== "routed") throw new Error(`Cannot get a lease: ${route.kind}`);
  const { lease } = route;
  let isClosed = false;
  lease.onClose(() => {
    isClosed = true;
  });
  return { origin: lease.backend.origin, isClosed: () => isClosed, end: () => lease.end() };
}
