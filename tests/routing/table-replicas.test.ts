/** Which server gets the requests for a model that several servers have, with and without `inference.replica`. */
import { describe, expect, test } from "bun:test";
import type { Backend } from "../../src/routing/backend.ts";
import { Load } from "../../src/routing/load.ts";
import type { Route } from "../../src/routing/routes.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import { prompt } from "../support/routing/pool.ts";
import { type Entry, makeBackend } from "../support/server/backends.ts";

/** @returns like `"b by load"`, or `"b"` if the model has no replicas */
function text(route: Route | undefined): string {
  if (route?.kind !== "routed") return route?.kind ?? "in doubt";
  const { lease, decision } = route;
  return decision === undefined ? lease.backend.name : `${lease.backend.name} by ${decision}`;
}

const NAMES = "abcdef";

type Init = { readonly maxInFlight?: number; readonly entry?: Entry };

/**
 * A table with one backend for each letter, the newest last: `R` is a replica, `-` is none. The names are
 * a, b, c …
 */
function tableOf(
  letters: string,
  { maxInFlight, entry = { id: "m" } }: Init = {},
): { readonly table: RoutingTable; readonly backends: readonly Backend[] } {
  const table = new RoutingTable();
  const backends = [...letters].map((letter, index) =>
    makeBackend({
      name: NAMES[index]!,
      isReplica: letter === "R",
      load: new Load(maxInFlight),
      models: [entry],
    }),
  );
  for (const backend of backends) table.admit(backend);
  return { table, backends };
}

function routes(table: RoutingTable, count: number): readonly string[] {
  return Array.from({ length: count }, () => text(table.route("m")));
}

describe("RoutingTable.route()", () => {
  test.each<[letters: string, taken: readonly string[], isShared: boolean]>([
    ["--", ["b", "b", "b"], false],
    ["R-", ["b", "b", "b"], false],
    ["RR-", ["c", "c", "c"], false],
    ["-R", ["b by only", "b by only", "b by only"], false],
    ["R", ["a by only", "a by only", "a by only"], false],
    ["RR", ["b by load", "a by load", "b by load"], true],
    ["R-R", ["c by load", "a by load", "c by load"], true],
    ["-RRR", ["d by load", "c by load", "b by load"], true],
  ])("%s (R: replica; the newest last): the newest decides", (letters, taken, isShared) => {
    const { table } = tableOf(letters);
    expect(table.find("m")).toMatchObject({ kind: "live", isShared });
    expect(routes(table, 3)).toEqual([...taken]);
  });

  test("replicas share only with their own group, including draining ones", () => {
    const table = new RoutingTable();
    const [a, b, c, d] = ["x", "y", "x", "y"].map((shares, index) =>
      makeBackend({ name: NAMES[index]!, shares }),
    );
    for (const backend of [a!, b!, c!, d!]) table.admit(backend);
    expect(routes(table, 3)).toEqual(["d by load", "b by load", "d by load"]);
    expect(table.canMove("m", new Set([b!, d!]))).toBe(false);
    expect(table.route("m", { failed: new Set([b!, d!]) }).kind).toBe("draining");
    expect(table.replicas).toHaveLength(4);
    table.drain(d!);
    expect(routes(table, 2)).toEqual(["c by load", "a by load"]);
    table.remove(a!, "run-over");
    // Only draining replicas of its own group count.
    expect([routes(table, 1), table.find("m")]).toMatchObject([["c by only"], { isShared: false }]);
  });

  test("when the newest leaves, the next newest decides", () => {
    const { table, backends } = tableOf("RR-");
    table.drain(backends[2]!);
    expect(routes(table, 2)).toEqual(["b by load", "a by load"]);
    table.drain(backends[1]!);
    // A request may continue a response that a draining replica made.
    expect([routes(table, 1), table.find("m")]).toMatchObject([["a by only"], { isShared: true }]);
    for (const backend of backends.slice(1)) table.remove(backend, "run-over");
    expect(table.find("m")).toMatchObject({ isShared: false });
    table.drain(backends[0]!);
    expect(routes(table, 1)).toEqual(["draining"]);
    table.admit(makeBackend({ name: "new", isReplica: true }));
    expect(routes(table, 1)).toEqual(["new by only"]);
  });

  test("a newly admitted replica gets its share at once", () => {
    const { table } = tableOf("RR");
    routes(table, 4);
    table.admit(makeBackend({ name: "new", isReplica: true }));
    expect(routes(table, 2)).toEqual(["new by load", "new by load"]);
  });

  test("requests that are too many for the newest never go to an older one without the label", () => {
    for (const letters of ["--", "R-"]) {
      const { table, backends } = tableOf(letters, { maxInFlight: 2 });
      expect(routes(table, 3)).toEqual(["b", "b", "saturated"]);
      expect(backends[0]!.inFlight).toBe(0);
    }
    const { table, backends } = tableOf("-R", { maxInFlight: 1 });
    expect(routes(table, 2)).toEqual(["b by only", "saturated"]);
    expect(backends[0]!.inFlight).toBe(0);
  });

  test("requests that are too many for one replica go to the others until all are full", () => {
    const { table } = tableOf("R-RR", { maxInFlight: 1 });
    const asking = { prompt: prompt("abcd") };
    const taken = [1, 2, 3, 4].map(() => table.route("m", asking));
    expect(taken.map(text)).toEqual(["d by load", "c by load", "a by only", "saturated"]);
    for (const one of taken) if (one.kind === "routed") one.lease.end();
    expect(text(table.route("m", asking))).toBe("d by prefix");
  });

  test("goes to the replica that knows the prompt, by any name of the model", () => {
    const { table } = tableOf("RRR", { entry: { id: "m:latest", aliases: ["alias"] } });
    const ask = (name: string, blocks: string): string =>
      text(table.route(name, { prompt: prompt(blocks) }));
    expect(ask("m:latest", "abcd")).toBe("c by load");
    expect([ask("alias", "abcd"), ask("m", "abcd")]).toEqual(["c by prefix", "c by prefix"]);
    expect(ask("alias", "wxyz")).toBe("b by load");
    expect([ask("m:latest", "wxyz"), ask("m", "abcd")]).toEqual(["b by prefix", "c by prefix"]);
  });

  test("each model has its own memory; the load of a replica counts for all models", () => {
    const table = new RoutingTable();
    for (const name of ["a", "b"]) {
      table.admit(makeBackend({ name, isReplica: true, models: [{ id: "m" }, { id: "n" }] }));
    }
    const asking = { prompt: prompt("abcd") };
    expect(text(table.route("m", asking))).toBe("b by load");
    expect(text(table.route("n", asking))).toBe("a by load");
    expect([table.route("m", asking), table.route("n", asking)].map(text)).toEqual([
      "b by prefix",
      "a by prefix",
    ]);
  });

  test("the memory of a model survives while its replicas are away, also for a replica that comes back", () => {
    const { table, backends } = tableOf("RR");
    const [a, b] = backends;
    const asking = { prompt: prompt("abcd") };
    expect(text(table.route("m", asking))).toBe("b by load");
    for (const one of [a!, b!]) table.drain(one);
    expect(text(table.route("m", asking))).toBe("draining");
    for (const { name, run, load } of [b!, a!]) {
      table.admit(makeBackend({ name, run, load, isReplica: true }));
    }
    expect(text(table.route("m", asking))).toBe("b by prefix");
  });

  test("a request that continues a response goes to its run; one for stored things goes to the newest", () => {
    const { table, backends } = tableOf("RRR");
    const [a] = backends;
    expect(text(table.route("m", { madeBy: a!.run, prompt: prompt("ab") }))).toBe("a by only");
    expect([1, 2].map(() => text(table.route("m", { goesToNewest: true })))).toEqual([
      "c by only",
      "c by only",
    ]);
    table.drain(a!);
    expect(text(table.route("m", { madeBy: a!.run }))).toBe("draining");
    table.remove(a!, "run-over");
    expect(text(table.route("m", { madeBy: a!.run }))).toBe("b by load");
  });

  test("a request may move to another replica, unless it belongs to one or the model has none", () => {
    const mayMove = (route: Route): boolean | undefined =>
      route.kind === "routed" ? route.mayMove : undefined;
    const { table, backends } = tableOf("RR");
    const [a] = backends;
    const asked = [{}, { madeBy: a!.run }, { goesToNewest: true }];
    expect(asked.map((asking) => mayMove(table.route("m", asking)))).toEqual([true, false, false]);
    expect(mayMove(tableOf("--").table.route("m"))).toBe(false);
  });

  test("the backends of one run share its limit and its load", () => {
    const load = new Load(2);
    const table = new RoutingTable();
    const before = makeBackend({ name: "before", load });
    table.admit(before);
    const first = table.route("m");
    table.drain(before);
    const after = makeBackend({ name: "after", run: before.run, load });
    table.admit(after);
    expect(routes(table, 2)).toEqual(["after", "saturated"]);
    expect([before.inFlight, after.inFlight, load.inFlight]).toEqual([1, 1, 2]);
    if (first.kind === "routed") first.lease.end();
    expect(routes(table, 2)).toEqual(["after", "saturated"]);
    table.remove(before, "cut");
    expect([load.inFlight, routes(table, 1)]).toEqual([2, ["saturated"]]);
  });

  test("replicas lists the active backends with the label, newest first", () => {
    const { table, backends } = tableOf("R-RR");
    const [a, , c, d] = backends;
    expect(table.replicas).toEqual([d!, c!, a!]);
    table.drain(d!);
    expect(table.replicas).toEqual([c!, a!]);
  });

  test.each<[pattern: string, backends: number]>([
    ["R", 1],
    ["RRR", 3],
    ["R-R", 2],
    ["RR-", 1],
    ["--", 1],
  ])("takers of %s: %d", (pattern, backends) => {
    const { table, backends: all } = tableOf(pattern);
    const model = all[0]?.models[0]?.id ?? "";
    expect(table.takers).toEqual([{ model, backends }]);
    for (const backend of all) table.drain(backend);
    expect(table.takers).toEqual([]);
  });
});

describe("RoutingTable.routeToRun()", () => {
  test("goes to that replica even if it is full, and counts the decision `only`", () => {
    const { table, backends } = tableOf("RR", { maxInFlight: 1 });
    const [a] = backends;
    expect([table.routeToRun(a!.run), table.routeToRun(a!.run)].map(text)).toEqual([
      "a by only",
      "saturated",
    ]);
    expect(a!.load.lastMinute(performance.now()).only).toBe(1);
    table.drain(a!);
    expect(text(table.routeToRun(a!.run))).toBe("draining");
  });
});
