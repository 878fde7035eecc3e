import { describe, expect, test } from "bun:test";
import { poolOf, tryToReach } from "../../src/proxy/connections.ts";
import { freePort, rawConnect, rawServer } from "../support/client/raw-http.ts";
import { rawRequest, startProxyTo } from "../support/proxy/in-process.ts";
import { makeBackend } from "../support/server/backends.ts";
import { until } from "../support/until.ts";

const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer";

describe("poolOf()", () => {
  test("returns one pool for each backend", () => {
    const [a, b] = [makeBackend(), makeBackend()];
    expect(poolOf(a)).toBe(poolOf(a));
    expect(poolOf(a)).not.toBe(poolOf(b));
  });

  test("lets successive requests to a backend share a connection", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    for (let count = 0; count < 3; count += 1) {
      using client = await rawConnect(proxy.port);
      client.send(rawRequest());
      await until("the backend has it", () => requests(upstream.connections[0]) === count + 1);
      upstream.connections[0]!.send(ANSWER);
      await client.waitFor("answer");
    }
    expect(upstream.connections.length).toBe(1);
  });

  test("closes idle connections to a draining backend, and reuses none", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    const connection = await upstream.request();
    connection.send(ANSWER);
    await client.waitFor("answer");
    proxy.table.drain(proxy.backend);
    await connection.waitForClose();

    proxy.table.admit(makeBackend({ origin: upstream.origin })); // the same address, reused at once
    client.send(rawRequest());
    await upstream.request(1);
    expect(requests(connection)).toBe(1);
  });

  test("closes idle connections to a draining backend while another one is in use", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using first = await rawConnect(proxy.port);
    using second = await rawConnect(proxy.port);
    first.send(rawRequest());
    const idle = await upstream.request(0);
    second.send(rawRequest());
    const busy = await upstream.request(1);
    idle.send(ANSWER);
    await first.waitFor("answer");
    proxy.table.drain(proxy.backend);
    await idle.waitForClose();
    busy.send(ANSWER);
    await second.waitFor("answer");
  });

  test("closes a connection that was in use when the drain began", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    const connection = await upstream.request();
    proxy.table.drain(proxy.backend);
    expect(connection.closed()).toBe(false);
    connection.send(ANSWER);
    await client.waitFor("answer");
    await until("it is closed, well before idle ones are", connection.closed, 1_000);
  });
});

function requests(connection: { readonly received: () => string } | undefined): number {
  return (connection?.received().split("POST ").length ?? 1) - 1;
}

describe("tryToReach()", () => {
  test("counts a refused connection as reached: a stopping server closes its listener first", async () => {
    const backend = makeBackend({ origin: `http://127.0.0.1:${await freePort()}` });
    expect(await tryToReach(backend, 3_000).reached).toBe(true);
  });

  test("counts a server whose machine may vanish as reached when the attempt fails for another reason", async () => {
    const origin = "http://nowhere.invalid:9";
    const made = [true, false].map((mayVanish) => makeBackend({ origin, mayVanish }));
    const reached = await Promise.all(made.map((one) => tryToReach(one, 10_000).reached));
    expect(reached).toEqual([true, false]);
  });

  test("makes one try for all callers while it runs, and reuses a fresh one for callers that allow it", async () => {
    using server = await rawServer();
    const backend = makeBackend({ origin: server.origin });
    const first = tryToReach(backend, 3_000);
    expect(tryToReach(backend, 3_000)).toBe(first);
    await first.reached;
    expect(tryToReach(backend, 3_000, 60_000)).toBe(first);
    expect(tryToReach(backend, 3_000)).not.toBe(first);
  });
});
