import { describe, expect, test } from "bun:test";
import { RoutingTable } from "../../src/routing/table.ts";
import { listed, makeBackend, models } from "../support/server/backends.ts";

function served(table: RoutingTable, model: string): string {
  const route = table.route(model);
  return route.kind === "routed" ? route.lease.backend.name : route.kind;
}

describe("RoutingTable", () => {
  test("route() takes a lease on the backend that serves the model", () => {
    const table = new RoutingTable();
    const a = makeBackend({ models: [{ id: "a1" }, { id: "a2" }] });
    const b = makeBackend({ models: [{ id: "b" }] });
    table.admit(a);
    table.admit(b);
    expect(served(table, "a2")).toBe(a.name);
    expect(served(table, "b")).toBe(b.name);
    expect([a.inFlight, b.inFlight]).toEqual([1, 1]);
  });

  test("route() answers unknown for a model that no backend has, also for names that objects inherit", () => {
    const table = new RoutingTable();
    table.admit(makeBackend());
    for (const model of ["x", "__proto__", "constructor", ""])
      expect(served(table, model)).toBe("unknown");
  });

  test("a draining backend answers draining and leaves the list at once, until it is removed", () => {
    const table = new RoutingTable();
    const backend = makeBackend();
    table.admit(backend);
    table.drain(backend);
    expect(served(table, "m")).toBe("draining");
    expect(table.find("m").kind).toBe("draining");
    expect(table.models).toEqual([]);
    table.remove(backend, "run-over");
    expect(served(table, "m")).toBe("unknown");
    expect(table.find("m").kind).toBe("unknown");
  });

  test("the backend that became healthy last wins, in any order of admission; the other serves when it leaves", () => {
    const older = makeBackend({ rank: 1 });
    const newer = makeBackend({ rank: 2 });
    for (const order of [
      [older, newer],
      [newer, older],
    ]) {
      const table = new RoutingTable();
      for (const backend of order) table.admit(backend);
      expect(served(table, "m")).toBe(newer.name);
    }
    const table = new RoutingTable();
    table.admit(older);
    table.admit(newer);
    table.drain(newer);
    expect(served(table, "m")).toBe(older.name);
    table.remove(newer, "cut");
    expect(served(table, "m")).toBe(older.name);
  });

  test.each<
    [
      why: string,
      older: [startedAtMs: number, id: string],
      newer: [startedAtMs: number, id: string],
    ]
  >([
    ["start of the container", [1, "b"], [2, "a"]],
    ["id, when they started together", [1, "a"], [1, "b"]],
  ])("of two backends seen in one pass, the winner is decided by %s", (_why, older, newer) => {
    const table = new RoutingTable();
    for (const [startedAtMs, id] of [newer, older]) {
      const name = id === newer[1] ? "newer" : "older";
      table.admit(makeBackend({ run: { startedAtMs, id }, name, rank: 7 }));
    }
    expect(served(table, "m")).toBe("newer");
  });

  test("admit() reports each active backend of another container with one of its models", () => {
    const table = new RoutingTable();
    const a = makeBackend({ models: [{ id: "x" }, { id: "y" }], rank: 5 });
    const b = makeBackend({ models: [{ id: "y" }, { id: "z" }], rank: 6 });
    expect(table.admit(a)).toEqual([]);
    expect(table.admit(b)).toEqual([{ winner: b, other: a, modelIds: ["y"], areReplicas: false }]);
    const again = makeBackend({ run: b.run, models: [{ id: "z" }] });
    expect(table.admit(again)).toEqual([]); // the same container comes back
    table.drain(a);
    expect(table.admit(makeBackend({ models: [{ id: "x" }] }))).toEqual([]);
  });

  test("models are sorted by id, with one entry each (of the winner), unchanged", () => {
    const table = new RoutingTable();
    table.admit(makeBackend({ rank: 1, models: [{ id: "b", from: 1 }, { id: "B" }] }));
    table.admit(
      makeBackend({ rank: 2, models: [{ id: "b", from: 2, meta: { n: [1] } }, { id: "a" }] }),
    );
    expect(listed(table.models)).toEqual([
      { id: "B" },
      { id: "a" },
      { id: "b", from: 2, meta: { n: [1] } },
    ]);
  });

  test("replaceModels() adds and removes models while the backend stays", () => {
    const table = new RoutingTable();
    const backend = makeBackend({ models: [{ id: "old" }, { id: "both" }] });
    table.admit(backend);
    const lease = table.route("old");
    table.replaceModels(backend, models({ id: "both" }, { id: "new" }));
    expect(["old", "both", "new"].map((model) => table.route(model).kind)).toEqual([
      "unknown",
      "routed",
      "routed",
    ]);
    expect(lease.kind).toBe("routed");
    expect(backend.inFlight).toBe(3);
  });

  test("reports each change, and nothing else", () => {
    const updates: string[] = [];
    const table = new RoutingTable((update) => updates.push(update));
    const backend = makeBackend({ models: [{ id: "a" }, { id: "b" }] });
    table.admit(backend);
    expect(table.activeCount).toBe(1);
    table.replaceModels(backend, models({ id: "a" }, { id: "b", created: 1 }));
    expect(updates).toEqual(["admit"]);
    table.replaceModels(backend, models({ id: "a" }, { id: "c" }));
    table.replaceModels(backend, models({ id: "a" }));
    table.drain(backend);
    expect(table.activeCount).toBe(0);
    table.remove(backend, "run-over");
    expect(updates).toEqual(["admit", "replace models", "replace models", "drain", "remove"]);
  });

  test("another order of the same models is not reported as a change, but the list follows it", () => {
    const updates: string[] = [];
    const table = new RoutingTable((update) => updates.push(update));
    const backend = makeBackend({ models: [{ id: "a" }, { id: "b" }] });
    table.admit(backend);
    const { models: list } = table;
    table.replaceModels(backend, models({ id: "b" }, { id: "a" }));
    table.replaceModels(backend, models({ id: "b" }, { id: "a", created: 1 }));
    expect(updates).toEqual(["admit"]);
    expect(listed(table.models)).toEqual([{ id: "a", created: 1 }, { id: "b" }]);
    const { models: before } = table;
    table.replaceModels(backend, models({ id: "b" }, { id: "a", created: 1 }));
    expect([table.models === before, before === list]).toEqual([true, false]);
    table.replaceModels(backend, models({ id: "b" }, { id: "c" }));
    expect(updates).toEqual(["admit", "replace models"]);
  });

  test("route() skips backends that have failed the request, and says draining when no other is left", () => {
    const table = new RoutingTable();
    const older = makeBackend({ rank: 1 });
    const newer = makeBackend({ rank: 2 });
    table.admit(older);
    table.admit(newer);
    const next = table.route("m", { failed: new Set([newer]) });
    expect(next).toMatchObject({ kind: "routed", lease: { backend: older } });
    expect(table.route("m", { failed: new Set([newer, older]) })).toEqual({ kind: "draining" });
    expect([older.inFlight, newer.inFlight]).toEqual([1, 0]);
  });

  test("a server that has two models under one alias counts once", () => {
    const table = new RoutingTable();
    const [one, other] = [
      { id: "m", aliases: ["x"] },
      { id: "n", aliases: ["x"] },
    ];
    const backend = makeBackend({ models: [one, other] });
    table.admit(backend);
    expect(table.find("x")).toMatchObject({ kind: "live", model: { id: "m" } });
    expect(table.route("x")).toMatchObject({ kind: "routed", lease: { backend } });
    expect(table.route("x", { failed: new Set([backend]) })).toEqual({ kind: "draining" });
    expect(backend.inFlight).toBe(1);
  });

  test("looks up expected models of 100 containers with 10,000 models each without a search", () => {
    const table = new RoutingTable();
    const expected = Array.from({ length: 10_000 }, (_, n) => ({ id: `model-${n}` }));
    for (let n = 0; n < 100; n += 1)
      table.expect({ source: "docker", id: `c${n}` }, { models: expected });
    expect(table.find("model-9999")).toEqual({ kind: "unavailable", id: "model-9999" });
    const before = process.cpuUsage();
    for (let n = 0; n < 100; n += 1) expect(table.find("unknown").kind).toBe("unknown");
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(500); // a search takes 10 ms each
  });
});
