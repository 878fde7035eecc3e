import { describe, expect, test } from "bun:test";
import type { Backend } from "../../src/routing/backend.ts";
import { Dispatcher, type Servers, type Taken } from "../../src/routing/dispatcher.ts";
import { Load } from "../../src/routing/load.ts";
import type { Asking } from "../../src/routing/routes.ts";
import { prompt } from "../support/routing/pool.ts";
import { makeBackend } from "../support/server/backends.ts";

const KIB = 1024;

/** @returns like `"a by load, may move"` */
function text(taken: Taken): string {
  if (taken?.kind !== "routed") return taken?.kind ?? "none";
  const { lease, decision, mayMove } = taken;
  return `${lease.backend.name} by ${decision}${mayMove ? ", may move" : ""}`;
}

/** Three replicas of a model: c is the newest. */
function replicas(maxInFlight?: number): readonly [Backend, Backend, Backend, Servers] {
  const [a, b, c] = ["a", "b", "c"].map((name) =>
    makeBackend({ name, isReplica: true, load: new Load(maxInFlight) }),
  );
  const newestFirst = [c!, b!, a!];
  return [a!, b!, c!, { id: "m", backends: newestFirst, replicas: newestFirst }];
}

function plain(names: readonly string[], maxInFlight?: number): Servers {
  const backends = names.map((name) => makeBackend({ name, load: new Load(maxInFlight) }));
  return { id: "m", backends, replicas: undefined };
}

describe("Dispatcher.take(), for a model without replicas", () => {
  test("the newest active backend gets all requests, with any hints", () => {
    const dispatcher = new Dispatcher();
    const servers = plain(["newest", "older"]);
    const [newest, older] = servers.backends;
    const asking = { prompt: prompt("abcd"), madeBy: older!.run, goesToNewest: true };
    const taken = dispatcher.take(servers, asking);
    expect(text(taken)).toBe("newest by undefined");
    expect(newest!.load).toMatchObject({ inFlight: 1, unreadBytes: 0, chosen: 0 });
    expect(newest!.load.lastMinute(performance.now()).only).toBe(0);
    newest!.drain();
    expect(text(dispatcher.take(servers, asking))).toBe("older by undefined");
    older!.drain();
    expect(text(dispatcher.take(servers, {}))).toBe("none");
  });

  test("an older backend gets a request if the newest has failed it, not if the newest is full", () => {
    const dispatcher = new Dispatcher();
    const servers = plain(["newest", "older"], 1);
    expect([1, 2, 3].map(() => text(dispatcher.take(servers, {})))).toEqual([
      "newest by undefined",
      "saturated",
      "saturated",
    ]);
    const failed = new Set(servers.backends.slice(0, 1));
    expect(text(dispatcher.take(servers, { failed }))).toBe("older by undefined");
    expect(text(dispatcher.take(servers, { failed }))).toBe("saturated");
    expect(text(dispatcher.take(servers, { failed: new Set(servers.backends) }))).toBe("none");
  });
});

describe("Dispatcher.take(), for replicas", () => {
  test("takes the lease on the chosen replica with its unread bytes, and counts the decision", () => {
    const dispatcher = new Dispatcher({ now: () => 5_000 });
    const [a, b, c, servers] = replicas();
    const asking = { prompt: prompt("abcd", 5) };
    const taken = [1, 2, 3].map(() => dispatcher.take(servers, asking));
    expect(taken.map(text)).toEqual(
      ["c by load", "c by prefix", "c by prefix"].map((one) => `${one}, may move`),
    );
    expect(c.load).toMatchObject({ inFlight: 3, unreadBytes: 4 * KIB + 3 * 5 });
    expect(c.load.lastMinute(5_000)).toEqual({ prefix: 2, load: 1, only: 0, failover: 0 });
    for (const one of taken) if (one?.kind === "routed") one.lease.end();
    expect([a, b, c].map(({ load }) => load.value)).toEqual([0, 0, 0]);
  });

  test("tries each replica that has not failed the request; reports if all have failed it or the rest is full", () => {
    const dispatcher = new Dispatcher();
    const [a, b, c, servers] = replicas(1);
    const failed = (...some: readonly Backend[]): Asking => ({ failed: new Set(some) });
    expect(text(dispatcher.take(servers, failed(c)))).toBe("b by failover, may move");
    expect(text(dispatcher.take(servers, failed(c)))).toBe("a by failover, may move");
    expect(text(dispatcher.take(servers, failed(c)))).toBe("saturated");
    expect(text(dispatcher.take(servers, failed()))).toBe("c by only, may move");
    expect(text(dispatcher.take(servers, {}))).toBe("saturated");
    expect(text(dispatcher.take(servers, failed(a, b, c)))).toBe("none");
    expect(a.load.lastMinute(performance.now()).failover).toBe(1);
  });

  test("uses the given clock and hash", () => {
    let nowMs = 0;
    let hashed = 0;
    const hash = (block: Uint8Array, seed: bigint): bigint => {
      hashed += 1;
      return Bun.hash.wyhash(block, seed);
    };
    const dispatcher = new Dispatcher({ now: () => nowMs, hash });
    const [a, b, c, servers] = replicas();
    for (const one of [b, c]) one.load.cool(1_000);
    expect(text(dispatcher.take(servers, { prompt: prompt("ab") }))).toBe("a by only, may move");
    expect(hashed).toBe(0);
    nowMs = 1_000;
    expect(text(dispatcher.take(servers, { prompt: prompt("ab") }))).toBe("c by load, may move");
    expect([hashed, a.load.unreadBytes]).toEqual([2, 2 * KIB]);
  });

  test("keep() forgets the prompts of a model that has no replicas any more", () => {
    const dispatcher = new Dispatcher();
    const [, , , servers] = replicas();
    const asking = { prompt: prompt("abcd") };
    expect(text(dispatcher.take(servers, asking))).toBe("c by load, may move");
    dispatcher.keep((model) => model === "m");
    expect(text(dispatcher.take(servers, asking))).toBe("c by prefix, may move");
    dispatcher.keep(() => false);
    expect(text(dispatcher.take(servers, asking))).toBe("b by load, may move");
  });
});

describe("Dispatcher.take(), for a request that belongs to one replica", () => {
  test("goes only to the run that made the response that it continues", () => {
    const dispatcher = new Dispatcher();
    const [a, , c, servers] = replicas(1);
    const asking = { madeBy: a.run, prompt: prompt("abcd") };
    expect(text(dispatcher.take(servers, asking))).toBe("a by only");
    expect(a.load).toMatchObject({ inFlight: 1, unreadBytes: 0 });
    expect(text(dispatcher.take(servers, asking))).toBe("saturated");
    expect(text(dispatcher.take(servers, { ...asking, failed: new Set([a]) }))).toBe("none");
    a.drain();
    expect(text(dispatcher.take(servers, asking))).toBe("none");
    expect(c.load.inFlight).toBe(0);
  });

  test("goes to the active backend of that run if the run has several", () => {
    const [a, b, c] = replicas();
    const again = makeBackend({ name: "again", run: a.run, load: a.load, isReplica: true });
    a.drain();
    const servers = { id: "m", backends: [c, b, a, again], replicas: [c, b, again] };
    expect(text(new Dispatcher().take(servers, { madeBy: a.run }))).toBe("again by only");
  });

  test("goes to any replica if that run is gone; another start of the server does not count", () => {
    const [a, , , servers] = replicas();
    const madeBy = { ...a.run, startedAtMs: a.run.startedAtMs - 1 };
    expect(text(new Dispatcher().take(servers, { madeBy }))).toBe("c by load, may move");
  });

  test("goes only to the newest replica if it uses something that a server stores", () => {
    const dispatcher = new Dispatcher();
    const [, , c, servers] = replicas(2);
    const asking = { goesToNewest: true, prompt: prompt("abcd") };
    const taken = [1, 2, 3].map(() => text(dispatcher.take(servers, asking)));
    expect(taken).toEqual(["c by only", "c by only", "saturated"]);
    expect(text(dispatcher.take(servers, { ...asking, failed: new Set([c]) }))).toBe("none");
    expect(c.load.lastMinute(performance.now()).only).toBe(2);
  });
});
