import { describe, expect, test } from "bun:test";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import {
  freePort,
  type RawConnection,
  type RawServer,
  rawConnect,
  rawServer,
} from "../support/client/raw-http.ts";
import {
  ENDLESS,
  type RunningProxy,
  rawRequest,
  startProxy,
  startProxyTo,
} from "../support/proxy/in-process.ts";
import { makeBackend } from "../support/server/backends.ts";
import { blackhole } from "../support/server/blackhole.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until, within } from "../support/until.ts";

const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer";

async function post(origin: string, body: string = '{"model":"m"}'): Promise<Response> {
  return fetch(`${origin}/v1/x`, { method: "POST", body, keepalive: false });
}

/** Sends two requests over one connection. The server resets it as soon as it has the second one. */
async function lostOnPooledConnection(
  upstream: RawServer,
  proxy: RunningProxy,
): Promise<{ readonly answer: Promise<Response> }> {
  const first = post(proxy.origin);
  const connection = await upstream.request();
  connection.send(ANSWER);
  await (await first).bytes();
  const answer = post(proxy.origin);
  await until("it has the second request", () => connection.received().split("POST ").length === 3);
  connection.reset();
  return { answer };
}

/** Answers each request and closes the connection after `idleMs` without a request, as uvicorn does after 5 s. */
function startClosingServer(
  idleMs: number,
): Disposable & { readonly origin: string; readonly requests: () => number } {
  let requests = 0;
  const server = createServer((socket) => {
    let timer: Timer | undefined;
    socket.on("error", () => undefined);
    socket.on("data", () => {
      requests += 1; // on loopback a small request comes in one piece
      clearTimeout(timer);
      socket.write(ANSWER);
      timer = setTimeout(() => socket.end(), idleMs);
    });
  });
  server.listen(0, "127.0.0.1");
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    requests: () => requests,
    [Symbol.dispose]: () => void server.close(),
  };
}

describe("a pooled connection that the server is closing", () => {
  test("fails none of 1,000 POSTs that come within 5 ms of the closing", async () => {
    const IDLE_MS = 20;
    using upstream = startClosingServer(IDLE_MS);
    using proxy = startProxyTo(upstream.origin);
    const statuses: Record<number, number> = {};
    const worker = async (index: number): Promise<void> => {
      for (let n = 0; n < 50; n += 1) {
        const response = await post(proxy.origin);
        await response.bytes();
        statuses[response.status] = (statuses[response.status] ?? 0) + 1;
        // The test is about the moment of the next request, so there is no condition to wait for.
        await Bun.sleep(IDLE_MS - 5 + ((index * 50 + n) % 11));
      }
    };
    await within(
      "all requests",
      Promise.all(Array.from({ length: 20 }, (_, index) => worker(index))),
      20_000,
    );
    expect(statuses).toEqual({ 200: 1_000 });
    expect(proxy.backend.inFlight).toBe(0);
  }, 30_000);

  test("makes another backend of the model answer if its backend drains", async () => {
    using upstream = await rawServer();
    using other = fakeBackend();
    const stale = makeBackend({ rank: 2, origin: upstream.origin });
    const spare = makeBackend({ rank: 1, origin: other.origin });
    using proxy = startProxy({ backends: [stale, spare] });
    const first = post(proxy.origin);
    const connection = await upstream.request();
    connection.send(ANSWER);
    await (await first).bytes();
    const answer = post(proxy.origin);
    await until("it has the second", () => connection.received().split("POST ").length === 3);
    proxy.table.drain(stale);
    connection.reset();
    expect((await answer).status).toBe(200);
    expect([stale.inFlight, spare.inFlight]).toEqual([0, 0]);
  });

  test("is not reused after 3 s, well before the server closes it", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    const answered = post(proxy.origin);
    const connection = await upstream.request();
    connection.send(ANSWER);
    await (await answered).bytes();
    expect(connection.closed()).toBe(false);
    await until("it is closed", connection.closed, 4_000);
  }, 10_000);

  test("makes the proxy send the request once more, on a fresh connection", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    const second = await lostOnPooledConnection(upstream, proxy);
    const fresh = await upstream.request(1);
    fresh.send(ANSWER);
    expect((await within("the answer", second.answer)).status).toBe(200);
    expect(upstream.connections).toHaveLength(2);
  });

  test("does not make the proxy send the request a third time", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    const second = await lostOnPooledConnection(upstream, proxy);
    (await upstream.request(1)).reset();
    expect((await within("the answer", second.answer)).status).toBe(502);
    expect(upstream.connections).toHaveLength(2);
  });

  test.each(["a fresh connection", "a server that has had the request for longer"])(
    "is not assumed for %s that breaks off: the server gets the request once",
    async (which) => {
      using upstream = await rawServer();
      using proxy = startProxyTo(upstream.origin);
      let requests = 0;
      if (which !== "a fresh connection") {
        const first = post(proxy.origin);
        (await upstream.request()).send(ANSWER);
        await (await first).bytes();
        requests = 1;
      }
      const asked = post(proxy.origin);
      const connection = await upstream.request();
      await until(
        "it has the request",
        () => connection.received().split("POST ").length === requests + 2,
      );
      if (requests === 1) await Bun.sleep(120); // proves that the proxy does not send it again so late
      connection.reset();
      expect((await within("the answer", asked)).status).toBe(502);
      expect(upstream.connections).toHaveLength(1);
    },
  );

  test("is not used for a body that cannot be sent again", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    const first = post(proxy.origin);
    (await upstream.request()).send(ANSWER);
    await (await first).bytes();
    const large = post(proxy.origin, `{"model":"m","pad":"${"x".repeat(2 * 1024 * 1024)}"}`);
    const fresh = await upstream.request(1);
    fresh.send(ANSWER);
    expect((await within("the answer", large)).status).toBe(200);
  });
});

describe("a backend that refuses connections", () => {
  test("loses the request to another server of the model, if the body can be sent again", async () => {
    using other = fakeBackend(() => new Response("other"));
    const going = makeBackend({ origin: `http://127.0.0.1:${await freePort()}`, rank: 99_999_999 });
    const staying = makeBackend({ origin: other.origin, rank: 1 });
    using proxy = startProxy({ backends: [going, staying] });
    expect(await (await post(proxy.origin)).text()).toBe("other");
    expect(new TextDecoder().decode(other.received[0]!.body)).toBe('{"model":"m"}');
    const large = await post(proxy.origin, `{"model":"m","pad":"${"x".repeat(2 * 1024 * 1024)}"}`);
    expect(large.status).toBe(502);
    await until("all leases have ended", () => going.inFlight + staying.inFlight === 0);
  });

  test("causes a 502 if all servers refuse, each asked once", async () => {
    const backends = [1, 2, 3].map(() => makeBackend({ origin: "http://127.0.0.1:1" }));
    using proxy = startProxy({ backends });
    expect((await within("the answer", post(proxy.origin))).status).toBe(502);
    expect(backends.map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
    expect(proxy.log.lines).toHaveLength(1);
  });
});

describe("a connection that can't be made", () => {
  test("is given up after `connectMs`", async () => {
    using hole = await blackhole();
    using proxy = startProxyTo(hole.origin, {
      patience: { ...ENDLESS, probeAfterMs: 50, connectMs: 200 },
    });
    const startMs = performance.now();
    expect((await within("the answer", post(proxy.origin))).status).toBe(502);
    expect(performance.now() - startMs).toBeWithin(200, 2_000);
    await until(
      "it is logged",
      () => proxy.log.count("the proxy could not connect to the server") === 1,
    );
  });

  test("is not confused with a slow first token, even if the server has stopped listening", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin, {
      patience: { ...ENDLESS, probeAfterMs: 20, connectMs: 40 },
    });
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    // On a busy machine the proxy's probe may come before the request.
    await until("both have arrived", () => upstream.connections.length === 2);
    const request = await withRequest(upstream);
    upstream.stopListening();
    using late = await rawConnect(proxy.port);
    late.send(rawRequest()); // over the connection below, or refused: both do not disturb the first request
    await Bun.sleep(150); // longer than all its timeouts: proves that it is not given up
    request.send(ANSWER);
    await client.waitFor("answer");
  });
});

/** Returns the connection over which a request came. */
async function withRequest({ connections }: RawServer): Promise<RawConnection> {
  const find = (): RawConnection | undefined =>
    connections.find(({ received }) => received().includes("\r\n\r\n"));
  await until("a request has arrived", () => find() !== undefined);
  return find()!;
}
