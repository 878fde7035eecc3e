/** Which backend gets a request that names no model. */
import { describe, expect, test } from "bun:test";
import type { Backend } from "../../src/routing/backend.ts";
import type { Route } from "../../src/routing/routes.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import { makeBackend } from "../support/server/backends.ts";

/** @returns undefined if no backend gets the request */
function takenBy(route: Route | undefined): Backend | undefined {
  return route?.kind === "routed" ? route.lease.backend : undefined;
}

describe("RoutingTable", () => {
  test.each<[when: string, models: (readonly string[])[], taken: number | undefined]>([
    ["there is no backend", [], undefined],
    ["one backend has no model", [[]], 0],
    ["one backend has one model", [["m"]], 0],
    ["one backend has two models", [["m", "n"]], 0],
    ["two have the same model: the newest", [["m"], ["m"]], 1],
    ["two have different models", [["m"], ["n"]], undefined],
    ["two have the same model, and one has another model too", [["m"], ["m", "n"]], undefined],
    ["only one of two has a model: that one", [["m"], []], 0],
    ["only one of two has models, and it has two: that one", [["m", "n"], []], 0],
    ["two have no model", [[], []], undefined],
  ])("only() when %s", (_when, lists, taken) => {
    const table = new RoutingTable();
    const backends = lists.map((ids) => makeBackend({ models: ids.map((id) => ({ id })) }));
    for (const backend of backends) table.admit(backend);
    expect(takenBy(table.only())?.name).toBe(
      taken === undefined ? undefined : backends[taken]!.name,
    );
    expect(backends.map(({ inFlight }) => inFlight)).toEqual(
      backends.map((_backend, index) => (index === taken ? 1 : 0)),
    );
  });

  test("only() ignores a draining backend and a model that only this backend serves", () => {
    const table = new RoutingTable();
    const [a, b, c] = ["m", "m", "n"].map((id) => makeBackend({ models: [{ id }] }));
    for (const backend of [a!, b!, c!]) table.admit(backend);
    expect(table.only()).toBeUndefined();
    table.drain(c!);
    expect(takenBy(table.only())).toBe(b!);
    table.drain(b!);
    expect(takenBy(table.only())).toBe(a!);
    table.drain(a!);
    expect(table.only()).toBeUndefined();
  });

  test("onlyServer() counts servers that come back, but no stopping or misconfigured server", () => {
    const table = new RoutingTable();
    const [a, b] = [makeBackend({ models: [{ id: "m" }] }), makeBackend({ models: [{ id: "m" }] })];
    expect([table.onlyServer(), table.activeCount]).toEqual([undefined, 0]);
    table.admit(a);
    expect(takenBy(table.onlyServer())).toBe(a);
    table.admit(b);
    expect(table.onlyServer()).toBeUndefined();
    table.drain(b);
    for (const [trouble, only] of [
      [undefined, undefined],
      ["paused", undefined],
      ["unhealthy", undefined],
      ["stopping", a],
      ["misconfigured", a],
    ] as const) {
      table.expect(b.run, { models: [{ id: "m" }], trouble });
      expect(takenBy(table.onlyServer())).toBe(only!);
    }
    table.drain(a);
    table.expect(a.run, { models: [{ id: "m" }], trouble: "paused" });
    expect([table.onlyServer(), table.activeCount]).toEqual([undefined, 0]);
  });

  test("newest() takes the active backend with the highest rank, with any models", () => {
    const table = new RoutingTable();
    expect(table.newest()).toBeUndefined();
    const newest = makeBackend({ rank: 9_999_999 });
    table.admit(newest);
    table.admit(makeBackend({ models: [{ id: "n" }] }));
    expect(takenBy(table.newest())).toBe(newest);
  });

  test("routeToRun() finds the run while active, draining or gone, and no other start of its server", () => {
    const table = new RoutingTable();
    const backend = makeBackend();
    table.admit(backend);
    const later = { ...backend.run, startedAtMs: backend.run.startedAtMs + 1 };
    expect(table.routeToRun(backend.run)).toMatchObject({ kind: "routed", lease: { backend } });
    expect(table.routeToRun(later).kind).toBe("unknown");
    table.drain(backend);
    expect([table.routeToRun(backend.run).kind, table.hasRun(backend.run)]).toEqual([
      "draining",
      true,
    ]);
    table.remove(backend, "cut");
    expect([table.routeToRun(backend.run).kind, table.hasRun(backend.run)]).toEqual([
      "unknown",
      false,
    ]);
  });
});
