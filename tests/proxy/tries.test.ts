import { describe, expect, test } from "bun:test";
import { type Again, type Setback, Tries } from "../../src/proxy/tries.ts";
import type { Routed } from "../../src/routing/routes.ts";
import { makeBackend } from "../support/server/backends.ts";

function routedTo(how: Partial<Routed>): Routed {
  const lease = makeBackend().acquire();
  if (lease === undefined) throw new Error("no lease");
  return { kind: "routed", lease, mayMove: true, decision: "load", ...how };
}

const SHARED = {};
const PINNED = { mayMove: false, decision: "only" } as const;

/** A model without replicas. */
function alone(): Routed {
  const { lease } = routedTo({});
  return { kind: "routed", lease, mayMove: false };
}

describe("Tries.after()", () => {
  test.each<[setback: Setback, shared: Again, pinned: Again, withoutReplicas: Again]>([
    ["connection refused", "other", "nobody", "other"],
    ["not connected", "other", "nobody", "nobody"],
    ["declined", "other", "nobody", "nobody"],
    ["stale connection", "same", "same", "same"],
    ["died", "other", "nobody", "nobody"],
    ["failed", "nobody", "nobody", "nobody"],
  ])("%s: %s with replicas, %s where only one can take it, %s without", (...row) => {
    const [setback, shared, pinned, withoutReplicas] = row;
    expect(new Tries(true).after(setback, routedTo(SHARED))).toBe(shared);
    expect(new Tries(true).after(setback, routedTo(PINNED))).toBe(pinned);
    expect(new Tries(true).after(setback, alone())).toBe(withoutReplicas);
  });

  test("a request that must not be sent twice goes elsewhere only if nobody has had it", () => {
    const tries = new Tries(false);
    expect(tries.after("declined", routedTo(SHARED))).toBe("other");
    expect(tries.after("connection refused", routedTo(SHARED))).toBe("other");
    expect(tries.after("died", routedTo(SHARED))).toBe("nobody");
  });

  test("no third server gets a request with which two have died", () => {
    const tries = new Tries(true);
    expect(tries.after("died", routedTo(SHARED))).toBe("other");
    expect(tries.after("declined", routedTo(SHARED))).toBe("other");
    expect(tries.after("died", routedTo(SHARED))).toBe("nobody");
  });

  test("a stale connection to a server that then refuses counts as a death", () => {
    const [first, second] = [routedTo(SHARED), routedTo(SHARED)];
    const tries = new Tries(true);
    expect(tries.after("stale connection", first)).toBe("same");
    expect(tries.mayLeave(first)).toBe(true);
    expect(tries.after("connection refused", first)).toBe("other");
    expect(tries.after("died", second)).toBe("nobody");
  });

  test("a stale connection and a death of the same server are one death", () => {
    const first = routedTo(SHARED);
    const tries = new Tries(true);
    expect(tries.after("stale connection", first)).toBe("same");
    expect(tries.after("died", first)).toBe("other");
  });

  test("after a stale connection another server is asked without replicas, and where it may be", () => {
    expect(new Tries(false).mayLeave(alone())).toBe(true);
    expect(new Tries(false).mayLeave(routedTo(SHARED))).toBe(false);
    expect(new Tries(true).mayLeave(routedTo(PINNED))).toBe(false);
  });

  test("whoever has failed is not asked again", () => {
    const tries = new Tries(true);
    const routed = routedTo(SHARED);
    tries.after("declined", routed);
    expect([...tries.failed]).toEqual([routed.lease.backend]);
  });
});
