/** Requests to servers whose machine may vanish without closing its connections. */
import { describe, expect, test } from "bun:test";
import type { Backend, Unreachable } from "../../src/routing/backend.ts";
import { freePort, rawConnect, rawServer } from "../support/client/raw-http.ts";
import { chat } from "../support/client/requests.ts";
import { ENDLESS, type RunningProxy, rawRequest, startProxy } from "../support/proxy/in-process.ts";
import { makeBackend } from "../support/server/backends.ts";
import { blackhole, vanishingServer } from "../support/server/blackhole.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until, within } from "../support/until.ts";

type Group = RunningProxy & {
  readonly backends: readonly Backend[];
  /** The reported failures of each backend. */
  readonly reported: readonly string[];
};

/** A group of servers that may vanish. The proxy asks the first one first. */
function startGroup(
  origins: readonly string[],
  patience: Partial<typeof ENDLESS.vanishing> = {},
): Group {
  const reported: string[] = [];
  const backends = origins.map((origin, index) => {
    const backend = makeBackend({
      ...{ origin, name: `web.${index}`, rank: -index, shares: "web", mayVanish: true },
      // Like the fleet: an unreachable server gets no new requests.
      onUnreachable: (how: Unreachable) => {
        reported.push(`web.${index}: ${how}`);
        proxy.table.drain(backend);
      },
    });
    return backend;
  });
  const vanishing = { ...ENDLESS.vanishing, ...patience };
  const proxy = startProxy({ backends, patience: { ...ENDLESS, headersMs: 50, vanishing } });
  return { ...proxy, backends, reported };
}

const SOON = { probeAfterMs: 50, connectMs: 100, probeEveryMs: 100 };

describe("a server whose machine may vanish", () => {
  test("is skipped and reported if no connection is possible", async () => {
    using hole = await blackhole();
    using other = fakeBackend();
    using proxy = startGroup([hole.origin, other.origin], SOON);
    expect((await within("an answer", chat(proxy.origin, "m"))).status).toBe(200);
    expect(proxy.reported).toEqual(["web.0: unreachable"]);
  });

  test("is skipped and reported if it refuses a connection", async () => {
    using other = fakeBackend();
    using proxy = startGroup([`http://127.0.0.1:${await freePort()}`, other.origin]);
    expect((await within("an answer", chat(proxy.origin, "m"))).status).toBe(200);
    expect(proxy.reported).toEqual(["web.0: connection refused"]);
  });

  test("loses a request to another one if it vanishes before the first token", async () => {
    using server = await vanishingServer();
    using other = fakeBackend();
    using proxy = startGroup([server.origin, other.origin], SOON);
    const answer = chat(proxy.origin, "m");
    await until("it has the request", () => proxy.backends[0]?.inFlight === 1);
    await Bun.sleep(200); // longer than all its timeouts: proves that it is not given up while it is there
    expect([other.received.length, proxy.reported]).toEqual([0, []]);
    await server.vanish();
    expect((await within("an answer", answer)).status).toBe(200);
    expect([other.received.length, proxy.reported]).toEqual([1, ["web.0: unreachable"]]);
  });

  test("is probed again and again if it is slow, once for all requests, and never given up", async () => {
    using slow = await rawServer();
    using proxy = startGroup([slow.origin], SOON);
    const waiting = await Promise.all([1, 2, 3].map(() => rawConnect(proxy.port)));
    for (const client of waiting) client.send(rawRequest());
    const isTry = ({ received }: { received: () => string }): boolean => received() === "";
    const tries = (): number => slow.connections.filter(isTry).length;
    await until("all have arrived", () => slow.connections.length - tries() === 3);
    const [before, startMs] = [tries(), performance.now()];
    await until("it was tried three more times", () => tries() >= before + 3);
    const most = Math.ceil((performance.now() - startMs) / SOON.probeEveryMs) + 1;
    expect(tries() - before).toBeLessThanOrEqual(most);
    const requests = slow.connections.filter((one) => !isTry(one));
    for (const one of requests) one.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow");
    for (const client of waiting) {
      await client.waitFor("slow");
      client[Symbol.dispose]();
    }
    const after = tries();
    await Bun.sleep(SOON.probeEveryMs * 2); // longer than until a next try: proves that there is none
    expect([tries() - after, proxy.reported]).toEqual([0, []]);
  });

  test("loses a request without headers to another one of its group when its run is over", async () => {
    using server = await rawServer();
    using other = fakeBackend();
    using proxy = startGroup([server.origin, other.origin]);
    proxy.table.admit(makeBackend({ origin: "http://127.0.0.1:1", rank: -9, shares: "db" }));
    const answer = chat(proxy.origin, "m");
    await server.request();
    proxy.table.remove(proxy.backends[0]!, "run-over");
    expect((await within("an answer", answer)).status).toBe(200);
    expect([other.received.length, proxy.reported]).toEqual([1, []]);
  });
});

test("a server whose machine cannot vanish is probed once", async () => {
  using slow = await rawServer();
  const backends = [makeBackend({ origin: slow.origin })];
  const patience = { ...ENDLESS, probeAfterMs: 20, connectMs: 100, vanishing: SOON };
  using proxy = startProxy({ backends, patience });
  using client = await rawConnect(proxy.port);
  client.send(rawRequest());
  await until("it was tried", () => slow.connections.length === 2);
  await Bun.sleep(SOON.probeEveryMs * 2); // longer than until a next try: proves that there is none
  expect(slow.connections.length).toBe(2);
});
