/** Discovery as main.ts connects it, against a fake engine, with short times. */

import { Engine } from "../../../src/engine/engine.ts";
import type { ContainerEvent } from "../../../src/engine/events.ts";
import { Controller, type ControllerInit } from "../../../src/fleet/controller.ts";
import { readModels } from "../../../src/fleet/models.ts";
import type { Server } from "../../../src/routing/run.ts";

import { EngineConnection } from "../../../src/sources/docker/connection.ts";
import { watch } from "../../../src/sources/docker/follow.ts";
import type { FakeEngine } from "../engine/fake-engine.ts";
import type { FakeContainer } from "../engine/replies.ts";
import { until } from "../until.ts";
import { type MemoryLog, memoryLog } from "./memory-log.ts";
import { WatchedTable } from "./watched-table.ts";

export type Discovery = Disposable & {
  readonly table: WatchedTable;
  readonly log: MemoryLog;
  readonly controller: Controller;
  readonly connection: EngineConnection;
  /** How many events have been handed to the controller. */
  readonly received: () => number;
};

type Options = Partial<ControllerInit> & {
  readonly resyncMs?: number;
  readonly silenceMs?: number;
  readonly staleMs?: number;
  readonly callTimeoutMs?: number;
  /** Called when the controller has acted on an event. */
  readonly onDelivered?: (event: ContainerEvent) => void;
};

export function startDiscovery(
  fake: Pick<FakeEngine, "socketPath">,
  options: Options = {},
): Discovery {
  const table = new WatchedTable();
  const log = memoryLog();
  const stopping = new AbortController();
  const { signal } = stopping;
  const engine = new Engine({ kind: "unix", path: fake.socketPath }, options.callTimeoutMs);
  const connection = new EngineConnection();
  const controller = new Controller({
    isFollowing: () => connection.isFollowed,
    engine,
    table,
    log,
    drainTimeoutMs: 60_000,
    engineNowMs: () => engine.clock.nowMs(),
    ownContainerId: undefined,
    listening: { host: undefined, port: 0 },
    program: "proxy",
    remote: undefined,
    ownAddresses: () => [],
    lookUpHost: async () => undefined,
    settleMs: 10,
    lookPaceMs: 5,
    ...options,
    // Once disposed of it asks nobody any more: the port may be another test's server by then.
    readModels: (...asked) =>
      signal.aborted ? new Promise(() => undefined) : (options.readModels ?? readModels)(...asked),
  });
  let received = 0;
  const counting = {
    onStreamOpen: () => controller.onStreamOpen(),
    resync: controller.resync,
    get isUnanswered() {
      return controller.isUnanswered;
    },
    onEvent: (event: ContainerEvent) => {
      received += 1;
      controller.onEvent(event);
      options.onDelivered?.(event);
    },
  };
  const watching = watch({
    engine,
    controller: counting,
    connection,
    log,
    signal,
    resyncMs: options.resyncMs ?? 3_600_000,
    ...(options.silenceMs !== undefined && { silenceMs: options.silenceMs }),
    ...(options.staleMs !== undefined && { staleMs: options.staleMs }),
  });
  watching.catch(() => undefined);
  return {
    table,
    log,
    controller,
    connection,
    received: () => received,
    [Symbol.dispose]: () => stopping.abort(),
  };
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
  /** Answers GET /v1/models; may be replaced at any time. */
  answer: () => Response | Promise<Response>;
  /** Answers GET /info; may be replaced at any time. */
  info: () => Response | Promise<Response>;
  /** How many times GET /v1/models was asked. */
  readonly reads: () => number;
};

/** What a server answers whose models are these. */
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

/** A container as the Docker source knows it. */
export function serverOf({ id }: Pick<FakeContainer, "id">): Server {
  return { source: "docker", id };
}
