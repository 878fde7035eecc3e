/**
 * Slow and stalled uploads. Bun's clock has steps of 4 s, so each test takes some seconds. They run
 * concurrently.
 */
import { describe, expect, test } from "bun:test";
import { createHandler } from "../src/proxy/handler.ts";
import { RoutingTable } from "../src/routing/table.ts";
import { type ProxyServer, startServer } from "../src/server.ts";
import {
  completeBody,
  type RawConnection,
  rawConnect,
  rawServer,
} from "./support/client/raw-http.ts";
import { memoryLog } from "./support/proxy/memory-log.ts";
import { makeBackend } from "./support/server/backends.ts";
import { until } from "./support/until.ts";

const SILENCE_S = 4;
/** One step of Bun's clock longer than the timeout: a silent client is disconnected by then. */
const GONE_MS = 11_000;

type Running = ProxyServer & Disposable & { readonly backend: ReturnType<typeof makeBackend> };

function startProxyTo(origin: string): Running {
  const table = new RoutingTable();
  const backend = makeBackend({ origin });
  table.admit(backend);
  const log = memoryLog();
  const handler = createHandler({ routes: table, log, isReady: () => true });
  const server = startServer({ port: 0, log, handler, uploadSilenceS: SILENCE_S });
  return { ...server, backend, [Symbol.dispose]: () => void server.stop(0) };
}

/** Answers when the whole body has arrived. */
function startReading() {
  return Bun.serve({
    port: 0,
    fetch: async (request) => new Response(`${(await request.bytes()).length} bytes`),
  });
}

function head(bytes: number): string {
  return `POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`;
}

/** Sends a few bytes a second, for longer than the timeout of a silent client plus one step of Bun's clock. */
async function sendSlowly(client: RawConnection, body: string): Promise<void> {
  const steps = 2.5 * SILENCE_S;
  const size = Math.ceil(body.length / steps);
  for (let at = 0; at < body.length; at += size) {
    client.send(body.slice(at, at + size));
    await Bun.sleep(1_000); // the pace of the client
  }
}

describe("startServer()", () => {
  test.concurrent.each([
    ["whose model comes first", `{"model":"m","pad":"${"x".repeat(1_000)}"}`],
    ["whose model comes last", `{"pad":"${"x".repeat(1_000)}","model":"m"}`],
    ["of a few bytes", '{"model":"m"}'],
    ["that is too large to be read completely", `{"model":"m","pad":"${"x".repeat(1_100_000)}"}`],
  ])(
    "accepts a slow upload %s while bytes arrive",
    async (_what, body) => {
      using upstream = startReading();
      using proxy = startProxyTo(`http://127.0.0.1:${upstream.port}`);
      using client = await rawConnect(proxy.port);
      client.send(head(body.length));
      await sendSlowly(client, body);
      await until("its answer comes", () => completeBody(client.received()) !== undefined);
      expect(completeBody(client.received())).toBe(`${body.length} bytes`);
    },
    40_000,
  );

  test.concurrent.each([
    ["before its model", '{"pad":'],
    ["before its first byte", ""],
    ["after its model, small", '{"model":"m",'],
    ["after its model, large", `{"model":"m","pad":"${"x".repeat(200_000)}`],
  ])(
    "ends an upload that stalls %s",
    async (_what, start) => {
      using upstream = startReading();
      using proxy = startProxyTo(`http://127.0.0.1:${upstream.port}`);
      using client = await rawConnect(proxy.port);
      client.send(head(2_000_000) + start);
      await until("it is ended", () => client.closed(), GONE_MS);
      await until("its lease ends", () => proxy.backend.inFlight === 0);
      expect(client.received()).toBe("");
    },
    40_000,
  );

  test.concurrent("does not blame the client when the server reads nothing", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(`${head(30_000_000)}{"model":"m","pad":"${"x".repeat(29_000_000)}`);
    const request = await upstream.request();
    request.pause();
    await Bun.sleep(GONE_MS); // the connection must stay open
    expect(client.closed()).toBe(false);
    expect(proxy.backend.inFlight).toBe(1);
  }, 40_000);

  test.concurrent("delivers an early answer to a client that has stopped sending", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(`${head(2_000_000)}{"model":"m",`);
    const request = await upstream.request();
    request.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n");
    await client.waitFor("early");
    await Bun.sleep(GONE_MS); // the connection must stay open
    expect(client.closed()).toBe(false);
    request.send("4\r\nlate\r\n0\r\n\r\n");
    await client.waitFor("late");
  }, 40_000);
});
