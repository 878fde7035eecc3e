/** Slow and stalled uploads. Bun keeps time in steps of 4 s, so these take some seconds each; they run side by side. */
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
/** A step of Bun's clock more than it takes: by then a silent client is gone. */
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

/** Answers when all of the body has come. */
function startReading() {
  return Bun.serve({
    port: 0,
    fetch: async (request) => new Response(`${(await request.bytes()).length} bytes`),
  });
}

function head(bytes: number): string {
  return `POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`;
}

/** Sends it a few bytes a second, for longer than a client may be silent, with the step that Bun's clock adds. */
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
    ["too large to be read whole", `{"model":"m","pad":"${"x".repeat(1_100_000)}"}`],
  ])(
    "takes a slow upload %s for as long as bytes come",
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
    ["behind its model, small", '{"model":"m",'],
    ["behind its model, large", `{"model":"m","pad":"${"x".repeat(200_000)}`],
  ])(
    "ends an upload that stalls %s",
    async (_what, start) => {
      using upstream = startReading();
      using proxy = startProxyTo(`http://127.0.0.1:${upstream.port}`);
      using client = await rawConnect(proxy.port);
      client.send(head(2_000_000) + start);
      await until("it is ended", () => client.closed(), GONE_MS);
      await until("its backend is let go of", () => proxy.backend.inFlight === 0);
      expect(client.received()).toBe("");
    },
    40_000,
  );

  test.concurrent("takes a server that reads nothing for no silence of the client's", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(`${head(30_000_000)}{"model":"m","pad":"${"x".repeat(29_000_000)}`);
    const request = await upstream.request();
    request.pause();
    await Bun.sleep(GONE_MS); // nobody closes it
    expect(client.closed()).toBe(false);
    expect(proxy.backend.inFlight).toBe(1);
  }, 40_000);

  test.concurrent("delivers an early answer whose client has stopped to send", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(`${head(2_000_000)}{"model":"m",`);
    const request = await upstream.request();
    request.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n");
    await client.waitFor("early");
    await Bun.sleep(GONE_MS); // nobody closes it
    expect(client.closed()).toBe(false);
    request.send("4\r\nlate\r\n0\r\n\r\n");
    await client.waitFor("late");
  }, 40_000);
});
