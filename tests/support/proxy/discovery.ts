/**
 * The Docker source, the fleet and a routing table as compose.ts connects them, against a fake engine, with
 * short times.
 */

import { Engine } from "../../../src/engine/engine.ts";
import type { ContainerEvent } from "../../../src/engine/events.ts";
import { Fleet, type FleetInit } from "../../../src/fleet/fleet.ts";
import { readModels } from "../../../src/fleet/models.ts";
import type { Lease } from "../../../src/routing/backend.ts";
import type { Server } from "../../../src/routing/run.ts";
import type { EngineConnection } from "../../../src/sources/docker/connection.ts";
import { DockerSource } from "../../../src/sources/docker/docker.ts";
import type { DockerSourceInit, Times } from "../../../src/sources/docker/docker-init.ts";
import type { ContainerStatus } from "../../../src/status.ts";
import type { FakeEngine } from "../engine/fake.ts";
import type { FakeContainer } from "../engine/replies.ts";
import { until } from "../until.ts";
import { type MemoryLog, memoryLog } from "./memory-log.ts";
import { WatchedTable } from "./watched-table.ts";

export type Discovery = Disposable & {
  readonly table: WatchedTable;
  readonly log: MemoryLog;
  readonly fleet: Fleet;
  readonly docker: DockerSource;
  readonly connection: EngineConnection;
  /** The status of each container, by name. */
  readonly containers: () => readonly ContainerStatus[];
  /** How many events the source has received. */
  readonly received: () => number;
};

type Options = Partial<Omit<FleetInit, "table" | "log">> &
  Times & {
    readonly own?: Partial<DockerSourceInit["own"]>;
    /** These calls go to another engine than the fake one. */
    readonly engine?: Partial<DockerSourceInit["engine"]>;
    readonly callTimeoutMs?: number;
    /** Called when the source has processed an event. */
    readonly onDelivered?: (event: ContainerEvent) => void;
  };

/** Counts the events before the source gets them. */
class CountingSource extends DockerSource {
  received = 0;
  onDelivered: ((event: ContainerEvent) => void) | undefined;

  override onEvent(event: ContainerEvent): void {
    this.received += 1;
    super.onEvent(event);
    this.onDelivered?.(event);
  }
}

export function startDiscovery(
  fake: Pick<FakeEngine, "socketPath">,
  options: Options = {},
): Discovery {
  const table = new WatchedTable();
  const log = memoryLog();
  const stopping = new AbortController();
  const { signal } = stopping;
  const engine = new Engine({ kind: "unix", path: fake.socketPath }, options.callTimeoutMs);
  const { readModels: read = readModels, onDelivered, own, drainTimeoutMs = 60_000 } = options;
  const fleet = new Fleet({
    ...options,
    table,
    log,
    drainTimeoutMs,
    // After disposal it asks no server: the port may belong to another test's server by then.
    readModels: (...asked) => (signal.aborted ? new Promise(() => undefined) : read(...asked)),
  });
  const docker = new CountingSource({
    engine: {
      list: (isWanted) => engine.list(isWanted),
      inspect: (id) => engine.inspect(id),
      openEvents: (init) => engine.openEvents(init),
      clock: engine.clock,
      ...options.engine,
    },
    fleet,
    log,
    drainTimeoutMs,
    own: {
      containerId: undefined,
      addresses: () => [],
      listening: { host: undefined, port: 0 },
      program: "proxy",
      lookUpHost: async () => undefined,
      remote: undefined,
      ...own,
    },
    times: { settleMs: 10, lookPaceMs: 5, resyncMs: 3_600_000, ...options },
  });
  docker.onDelivered = onDelivered;
  docker.follow(signal).catch(() => undefined);
  return {
    table,
    log,
    fleet,
    docker,
    connection: docker.connection,
    containers: () => fleet.members,
    received: () => docker.received,
    [Symbol.dispose]: () => stopping.abort(),
  };
}

/** A request in flight on a server with this model. */
export function leaseOf(discovery: Discovery, model = "m"): Lease {
  const route = discovery.table.route(model);
  if (route.kind !== "routed") throw new Error(`Cannot get a lease: ${route.kind}`);
  return route.lease;
}

export function kindOf(discovery: Discovery, model = "m"): string {
  return discovery.table.find(model).kind;
}

export async function untilKind(
  discovery: Discovery,
  expected: string,
  model = "m",
): Promise<void> {
  await until(`model ${model} is ${expected}`, () => kindOf(discovery, model) === expected);
}

export type ModelServer = Disposable & {
  readonly port: number;
  /** Answers GET /v1/models. A test may replace it at any time. */
  answer: () => Response | Promise<Response>;
  /** Answers GET /info. A test may replace it at any time. */
  info: () => Response | Promise<Response>;
  /** How many times GET /v1/models was requested. */
  readonly reads: () => number;
};

/** A server's answer with this model list. */
export function modelList(...ids: readonly string[]): Response {
  return Response.json({ object: "list", data: ids.map((id) => ({ id })) });
}

export function startModelServer(...ids: readonly string[]): ModelServer {
  let reads = 0;
  const models: ModelServer = {
    port: 0,
    answer: () => modelList(...ids),
    info: () => new Response(null, { status: 404 }),
    reads: () => reads,
    [Symbol.dispose]: () => void server.stop(true),
  };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }) => {
      const { pathname } = new URL(url);
      if (pathname === "/info") return models.info();
      if (pathname !== "/v1/models") return new Response(null, { status: 404 });
      reads += 1;
      return models.answer();
    },
  });
  return Object.assign(models, { port: server.port ?? 0 });
}

/** The container, named as the Docker source names it. */
export function serverOf({ id }: Pick<FakeContainer, "id">): Server {
  return { source: "docker", id };
}

export function stateOf(discovery: Discovery, { id }: FakeContainer): string | undefined {
  return discovery.containers().find((container) => container.id === id)?.state;
}

export async function untilState(
  discovery: Discovery,
  container: FakeContainer,
  state: string,
): Promise<void> {
  await until(
    `${container.name} is ${state} (${stateOf(discovery, container)})`,
    () => stateOf(discovery, container) === state,
  );
}
