import { describe, expect, test } from "bun:test";
import type { Backend } from "../../src/routing/backend.ts";
import { servingOf } from "../../src/routing/served.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import { makeBackend } from "../support/server/backends.ts";

/** Which requests for model `m` each server gets. */
function gets(table: RoutingTable, countMax = 100): readonly string[] {
  const served = table.servedBy("m");
  return (served === undefined ? [] : servingOf(served, countMax)).map(
    (one) => `${one.name}: ${one.gets}`,
  );
}

function backend(name: string, isReplica = false, more: Parameters<typeof makeBackend>[0] = {}) {
  return makeBackend({ name, isReplica, ...more });
}

function tableOf(...backends: readonly Backend[]): RoutingTable {
  const table = new RoutingTable();
  for (const each of backends) table.admit(each);
  return table;
}

describe("servingOf()", () => {
  test("a model that no backend has", () => {
    expect(gets(tableOf())).toEqual([]);
  });

  test("the newest backend gets all requests", () => {
    expect(gets(tableOf(backend("a"), backend("b")))).toEqual(["b: all", "a: none"]);
  });

  test("replicas share the requests; a single one gets all", () => {
    expect(gets(tableOf(backend("a", true)))).toEqual(["a: all"]);
    expect(gets(tableOf(backend("a", true), backend("b"), backend("c", true)))).toEqual([
      "c: shares",
      "b: none",
      "a: shares",
    ]);
  });

  test("only the replicas in the group of the newest share", () => {
    const groups = ["a", "b", "a", undefined, "b"];
    const backends = groups.map((shares, index) => makeBackend({ name: `${index}`, shares }));
    const table = tableOf(...backends);
    expect(gets(table)).toEqual(["4: shares", "3: none", "2: none", "1: shares", "0: none"]);
    for (const index of [4, 3]) table.remove(backends[index]!, "run-over");
    expect(gets(table)).toEqual(["2: shares", "1: none", "0: shares"]);
  });

  test("a newer backend that is no replica gets all requests", () => {
    const table = tableOf(backend("a", true), backend("b", true), backend("c"));
    expect(gets(table)).toEqual(["c: all", "b: none", "a: none"]);
  });

  test("a draining backend gets none; the others get its requests", () => {
    const [a, b] = [backend("a", true), backend("b", true)];
    const table = tableOf(a, b);
    table.drain(b);
    expect(gets(table)).toEqual(["b: none", "a: all"]);
    table.drain(a);
    expect(gets(table)).toEqual(["b: none", "a: none"]);
  });

  test("a run with an active and an older draining backend is listed once, as active", () => {
    const run = { id: "x" };
    const before = backend("a", false, { run, rank: 9 });
    const table = tableOf(before);
    table.drain(before);
    table.admit(backend("a", false, { run, rank: 8 }));
    expect(gets(table)).toEqual(["a: all"]);
    expect(gets(table, 1)).toEqual(["a: all"]);
  });

  test("a run with an active and a newer draining backend is listed once, as active", () => {
    const run = { id: "x" };
    const before = backend("a", false, { run, rank: 8 });
    const table = tableOf(before);
    table.drain(before);
    table.admit(backend("a", false, { run, rank: 9 }));
    expect(gets(table)).toEqual(["a: all"]);
  });

  test("lists at most countMax servers", () => {
    const many = Array.from({ length: 9 }, (_, n) => backend(`${n}`));
    expect(gets(tableOf(...many), 2)).toEqual(["8: all", "7: none"]);
  });
});
