import { describe, expect, test } from "bun:test";
import { RoutingTable } from "../../src/routing/table.ts";
import { type Entry, listed, makeBackend, models } from "../support/server/backends.ts";

/** The name of the backend that gets a request, or why no backend gets it. */
function served(table: RoutingTable, name: string): string {
  const route = table.route(name);
  return route.kind === "routed" ? route.lease.backend.name : route.kind;
}

type Entries = readonly Entry[];

/** A table with one backend for each list. Later ones are newer. */
function tableOf(lists: Readonly<Record<string, Entries>>): RoutingTable {
  const table = new RoutingTable();
  for (const [name, entries] of Object.entries(lists)) {
    table.admit(makeBackend({ name, models: entries }));
  }
  return table;
}

const SERVER = { source: "docker", id: "expected" };

describe("RoutingTable, other names of a model", () => {
  test.each<[name: string, id: string]>([
    ["alias", "gguf"],
    ["llama3.2", "llama3.2:latest"],
    ["base:lora", "lora"],
  ])("%p finds the model that is listed as %p, and takes a lease on its backend", (name, id) => {
    const table = tableOf({
      server: [
        { id: "gguf", aliases: ["alias"] },
        { id: "llama3.2:latest" },
        { id: "base" },
        { id: "lora", parent: "base" },
      ],
    });
    expect(table.find(name)).toMatchObject({ kind: "live", model: { id } });
    expect(served(table, name)).toBe("server");
  });

  test.each<[first: string, lists: Readonly<Record<string, Entries>>]>([
    ["an id", { id: [{ id: "x" }], newer: [{ id: "m", aliases: ["x"] }, { id: "x:latest" }] }],
    ["an alias", { alias: [{ id: "m", aliases: ["x"] }], newer: [{ id: "x:latest" }] }],
  ])("%s counts first, even if another backend is newer", (_first, lists) => {
    expect(served(tableOf(lists), "x")).toBe(Object.keys(lists)[0]!);
  });

  test("the tag latest counts before an adapter of that name", () => {
    const table = tableOf({
      latest: [{ id: "ns:80/x:latest" }],
      newer: [{ id: "80/x", parent: "ns" }],
    });
    expect(served(table, "ns:80/x")).toBe("latest");
  });

  test.each<[state: string, spoil: (table: RoutingTable) => void, kind: string]>([
    ["draining", () => undefined, "draining"],
    ["expected back", (table) => table.expect(SERVER, { models: [{ id: "x" }] }), "unavailable"],
  ])(
    "an id that is %s is found, even if another model has it as an alias",
    (state, spoil, kind) => {
      const table = new RoutingTable();
      const exact = makeBackend({ models: [{ id: "x" }] });
      if (state === "draining") table.admit(exact);
      table.admit(makeBackend({ models: [{ id: "m", aliases: ["x"] }, { id: "x:latest" }] }));
      table.drain(exact);
      spoil(table);
      expect([table.find("x").kind, served(table, "x")]).toEqual([kind, kind]);
    },
  );

  test("an alias that is expected back counts before the tag latest; a served alias counts before both", () => {
    const table = tableOf({ ollama: [{ id: "x:latest" }] });
    table.expect(SERVER, { models: [{ id: "m", aliases: ["x"] }] });
    expect(table.find("x")).toEqual({ kind: "unavailable", id: "m" });
    table.admit(makeBackend({ name: "newer", models: [{ id: "n", aliases: ["x"] }] }));
    expect([table.find("x"), served(table, "x")]).toMatchObject([{ model: { id: "n" } }, "newer"]);
  });

  test("the newest of two backends with the same alias gets the requests; the other takes over", () => {
    const table = new RoutingTable();
    const older = makeBackend({ name: "older", models: [{ id: "m", aliases: ["a"] }] });
    const newer = makeBackend({ name: "newer", models: [{ id: "n", aliases: ["a"] }] });
    for (const backend of [newer, older]) table.admit(backend);
    expect([served(table, "a"), table.find("a")]).toMatchObject(["newer", { model: { id: "n" } }]);
    const elsewhere = table.route("a", { failed: new Set([newer]) });
    expect(elsewhere).toMatchObject({ kind: "routed", lease: { backend: older } });
    table.drain(newer);
    expect([served(table, "a"), table.find("a")]).toMatchObject(["older", { model: { id: "m" } }]);
    table.drain(older);
    expect([served(table, "a"), table.find("a")]).toEqual([
      "draining",
      { kind: "draining", id: "n" },
    ]);
  });

  test("a request by an alias never goes to a backend that has only the id", () => {
    const table = new RoutingTable();
    const knows = makeBackend({ models: [{ id: "m", aliases: ["a"] }] });
    table.admit(knows);
    table.admit(makeBackend({ name: "newer", models: [{ id: "m" }] }));
    expect(served(table, "a")).toBe(knows.name);
    expect(table.route("a", { failed: new Set([knows]) })).toEqual({ kind: "draining" });
  });

  test("the model list has only ids, and overlaps compare only ids", () => {
    const table = new RoutingTable();
    const entry = { id: "m:latest", aliases: ["a"], parent: "p" };
    table.admit(makeBackend({ models: [entry] }));
    expect(listed(table.models)).toEqual([entry]);
    expect(table.admit(makeBackend({ models: [{ id: "n", aliases: ["a"] }] }))).toEqual([]);
  });

  test("a new list adds and removes aliases at once", () => {
    const table = new RoutingTable();
    const backend = makeBackend({ name: "server", models: [{ id: "m", aliases: ["old"] }] });
    table.admit(backend);
    table.replaceModels(backend, models({ id: "m", aliases: ["new"] }));
    expect([served(table, "old"), served(table, "new")]).toEqual(["unknown", "server"]);
  });

  test("if two models of a backend have the same alias, it means the first model", () => {
    const table = tableOf({
      server: [
        { id: "m", aliases: ["a", "a"] },
        { id: "n", aliases: ["a"] },
      ],
    });
    expect(table.find("a")).toMatchObject({ kind: "live", model: { id: "m" } });
    const route = table.route("a");
    if (route.kind !== "routed") throw new Error("not routed");
    const failed = new Set([route.lease.backend]);
    expect(table.route("a", { failed })).toEqual({ kind: "draining" });
  });
});

describe("RoutingTable, the trouble of servers", () => {
  test("a draining model has a trouble if it is the same for all of its servers", () => {
    const table = new RoutingTable();
    const [one, other] = [makeBackend(), makeBackend()];
    for (const backend of [one, other]) {
      table.admit(backend);
      table.drain(backend);
    }
    const expected = [{ id: "m" }];
    table.expect(one.run, { models: expected, trouble: "paused" });
    expect(table.route("m")).toEqual({ kind: "draining", trouble: undefined });
    table.expect(other.run, { models: expected, trouble: "paused" });
    expect(table.route("m")).toEqual({ kind: "draining", trouble: "paused" });
    expect(table.routeToRun(one.run)).toEqual({ kind: "draining", trouble: "paused" });
    table.expect(other.run, { models: expected, trouble: "stopping" });
    expect(table.find("m")).toEqual({ kind: "draining", id: "m", trouble: undefined });
  });

  test("an expected model has the trouble of its server, and follows its changes", () => {
    const table = new RoutingTable();
    const expected = [{ id: "m" }];
    table.expect(SERVER, { models: expected, trouble: "unhealthy" });
    expect(table.find("m")).toEqual({ kind: "unavailable", id: "m", trouble: "unhealthy" });
    table.expect(SERVER, { models: expected });
    expect(table.find("m")).toEqual({ kind: "unavailable", id: "m" });
    table.expect(SERVER, { models: [{ id: "n" }] });
    expect(table.find("m")).toEqual({ kind: "unknown" });
    table.expect(SERVER, undefined);
    expect(table.find("n")).toEqual({ kind: "unknown" });
  });
});

describe("RoutingTable.overlaps", () => {
  test("has one overlap of the newest active backend of a model with each other one", () => {
    const table = new RoutingTable();
    const a = makeBackend({ rank: 1, models: [{ id: "x" }, { id: "y" }, { id: "own" }] });
    const b = makeBackend({ rank: 2, models: [{ id: "y" }] });
    const c = makeBackend({ rank: 3, models: [{ id: "x" }, { id: "y" }] });
    for (const backend of [a, b, c]) table.admit(backend);
    expect(table.overlaps).toEqual([
      { winner: c, other: a, modelIds: ["x", "y"], areReplicas: false },
      { winner: c, other: b, modelIds: ["y"], areReplicas: false },
    ]);
    table.drain(c); // it is still in the table, but takes no requests
    expect(table.overlaps).toEqual([{ winner: b, other: a, modelIds: ["y"], areReplicas: false }]);
    table.remove(b, "run-over");
    expect(table.overlaps).toEqual([]);
  });
});
