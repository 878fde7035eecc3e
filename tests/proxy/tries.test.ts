import { describe, expect, test } from "bun:test";
import { type Setback, Tries } from "../../src/proxy/tries.ts";
import type { Routed } from "../../src/routing/routes.ts";
import { makeBackend } from "../support/server/backends.ts";

function routedTo(how: Partial<Routed>): Routed {
  const lease = makeBackend().acquire();
  if (lease === undefined) throw new Error("no lease");
  return { kind: "routed", lease, mayMove: true, decision: "load", ...how };
}

const SHARED = {};
const PINNED = { mayMove: false, decision: "only" } as const;

type Again = "nobody" | "same" | "other" | "same or other";

function after(tries: Tries, setback: Setback, routed: Routed): Again {
  const { same, other } = tries.after(setback, routed);
  if (same) return other ? "same or other" : "same";
  return other ? "other" : "nobody";
}

/** A model without replicas. */
function alone(): Routed {
  const { lease } = routedTo({});
  return { kind: "routed", lease, mayMove: false };
}

describe("Tries.after()", () => {
  test.each<[setback: Setback, shared: Again, pinned: Again, withoutReplicas: Again]>([
    ["connection refused", "other", "nobody", "other"],
    ["not connected", "other", "nobody", "nobody"],
    ["unreachable", "other", "nobody", "nobody"],
    ["declined", "other", "nobody", "nobody"],
    ["stale connection", "same or other", "same", "same or other"],
    ["died", "other", "nobody", "nobody"],
    ["failed", "nobody", "nobody", "nobody"],
  ])("%s: %s with replicas, %s if only one can take it, %s without replicas", (...row) => {
    const [setback, shared, pinned, withoutReplicas] = row;
    expect(after(new Tries(true), setback, routedTo(SHARED))).toBe(shared);
    expect(after(new Tries(true), setback, routedTo(PINNED))).toBe(pinned);
    expect(after(new Tries(true), setback, alone())).toBe(withoutReplicas);
  });

  test("a request that must not be sent twice goes to another server only if none has had it", () => {
    const tries = new Tries(false);
    expect(after(tries, "declined", routedTo(SHARED))).toBe("other");
    expect(after(tries, "connection refused", routedTo(SHARED))).toBe("other");
    expect(after(tries, "died", routedTo(SHARED))).toBe("nobody");
    expect(after(new Tries(false), "unreachable", routedTo(SHARED))).toBe("nobody");
  });

  test("no third server gets a request after two have died with it", () => {
    const tries = new Tries(true);
    expect(after(tries, "died", routedTo(SHARED))).toBe("other");
    expect(after(tries, "declined", routedTo(SHARED))).toBe("other");
    expect(after(tries, "died", routedTo(SHARED))).toBe("nobody");
  });

  test("a stale connection counts as a death if the server then refuses connections", () => {
    const [first, second] = [routedTo(SHARED), routedTo(SHARED)];
    const tries = new Tries(true);
    expect(after(tries, "stale connection", first)).toBe("same or other");
    expect(after(tries, "connection refused", first)).toBe("other");
    expect(after(tries, "died", second)).toBe("nobody");
  });

  test("a stale connection and a death of the same server count as one death", () => {
    const first = routedTo(SHARED);
    const tries = new Tries(true);
    expect(after(tries, "stale connection", first)).toBe("same or other");
    expect(after(tries, "died", first)).toBe("other");
  });

  test("a request that must not be sent twice stays with its server after a stale connection", () => {
    expect(after(new Tries(false), "stale connection", routedTo(SHARED))).toBe("same");
    expect(after(new Tries(false), "stale connection", alone())).toBe("same or other");
  });

  test.each(["connection refused", "not connected", "declined"] as const)(
    "a request that must not be sent twice goes to no other server if its server had it and then: %s",
    (setback) => {
      const first = routedTo(SHARED);
      const tries = new Tries(false);
      expect(after(tries, "stale connection", first)).toBe("same");
      expect(after(tries, setback, first)).toBe("nobody");
    },
  );

  test("the death of a server without replicas counts when the request moves to replicas", () => {
    const tries = new Tries(true);
    expect(after(tries, "stale connection", alone())).toBe("same or other");
    expect(after(tries, "died", routedTo(SHARED))).toBe("nobody");
  });

  test("a failed server is not asked again", () => {
    const tries = new Tries(true);
    const routed = routedTo(SHARED);
    tries.after("declined", routed);
    expect([...tries.failed]).toEqual([routed.lease.backend]);
  });
});
