/** The real proxy in this process, on any free port, with a routing table that the test fills by hand. */
import { BrokenAnswers, type BrokenAnswersInit } from "../../../src/proxy/broken-answers.ts";
import { createHandler, type HandlerInit } from "../../../src/proxy/handler.ts";
import type { ClientSocketsInit } from "../../../src/proxy/socket/client-sockets.ts";
import type { Patience } from "../../../src/proxy/upstream-abort.ts";
import type { Backend } from "../../../src/routing/backend.ts";
import { RoutingTable } from "../../../src/routing/table.ts";
import { startServer } from "../../../src/server.ts";
import { makeBackend } from "../server/backends.ts";
import { clientWith } from "./client-with.ts";
import { type MemoryLog, memoryLog } from "./memory-log.ts";

/** So long that nothing happens by itself. A test shortens the times that it tests. */
export const ENDLESS: Patience = {
  watchAfterMs: 0,
  headersMs: 1_000_000,
  readMs: 1_000_000,
  socketMs: 1_000_000,
  probeAfterMs: 1_000_000,
  connectMs: 1_000_000,
  vanishing: { probeAfterMs: 1_000_000, connectMs: 1_000_000, probeEveryMs: 1_000_000 },
  runEndMs: 0,
};

export type RunningProxy = Disposable & {
  readonly port: number;
  readonly origin: string;
  readonly table: RoutingTable;
  readonly log: MemoryLog;
  /** Lines come one turn of the event loop later, unless `broken` sets another time. */
  readonly brokenAnswers: BrokenAnswers;
  /** How many requests have their connection kept open right now. */
  readonly keptOpen: () => number;
  readonly stop: (timeoutMs: number) => Promise<number>;
};

type ProxyInit = Partial<Omit<HandlerInit, "routes" | "log" | "brokenAnswers">> & {
  readonly backends?: readonly Backend[];
  readonly broken?: Omit<BrokenAnswersInit, "log">;
  readonly sockets?: ClientSocketsInit;
};

export function startProxy({
  backends = [],
  broken,
  sockets,
  ...init
}: ProxyInit = {}): RunningProxy {
  const table = new RoutingTable();
  for (const backend of backends) table.admit(backend);
  const log = memoryLog();
  const brokenAnswers = new BrokenAnswers({ log, gatherMs: 0, ...broken });
  const handle = createHandler({
    ...{ routes: table, log, isReady: () => true, brokenAnswers },
    ...init,
  });
  const open = new Set<object>();
  const server = startServer({
    port: 0,
    log,
    ...(sockets && { sockets }),
    handler: (request, client) =>
      handle(
        request,
        clientWith(client, {
          expect: () => {
            open.delete(client);
            client.expect();
          },
          keepOpen: () => {
            open.add(client);
            client.keepOpen();
          },
          release: () => {
            open.delete(client);
            client.release();
          },
        }),
      ),
  });
  return {
    port: server.port,
    origin: `http://127.0.0.1:${server.port}`,
    table,
    log,
    brokenAnswers,
    keptOpen: () => open.size,
    stop: server.stop,
    [Symbol.dispose]: () => void server.stop(0),
  };
}

/** A proxy in front of one backend at `origin`, which serves the model `m`. */
export function startProxyTo(
  origin: string,
  init: Omit<ProxyInit, "backends"> = {},
): RunningProxy & { readonly backend: Backend } {
  const backend = makeBackend({ origin, name: "vllm-1" });
  return { ...startProxy({ ...init, backends: [backend] }), backend };
}

/** The bytes of a request for the model `m`. */
export function rawRequest(body = '{"model":"m"}', headers: readonly string[] = []): string {
  const head = [
    "POST /v1/chat/completions HTTP/1.1",
    "Host: proxy.test",
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
