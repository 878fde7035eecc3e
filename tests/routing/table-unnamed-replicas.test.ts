/** Which replica gets a request that names no model. */
import { describe, expect, test } from "bun:test";
import type { Backend } from "../../src/routing/backend.ts";
import { Load } from "../../src/routing/load.ts";
import type { Route, Trouble } from "../../src/routing/routes.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import { makeBackend } from "../support/server/backends.ts";

function text(route: Route | undefined): string {
  if (route?.kind !== "routed") return route?.kind ?? "in doubt";
  const { lease, decision } = route;
  return decision === undefined ? lease.backend.name : `${lease.backend.name} by ${decision}`;
}

type Server = {
  readonly name: string;
  readonly ids?: readonly string[];
  readonly isReplica?: boolean;
  readonly maxInFlight?: number;
};

function admit(
  table: RoutingTable,
  { name, ids = ["m"], isReplica = true, maxInFlight = 2 }: Server,
): Backend {
  const backend = makeBackend({
    name,
    isReplica,
    models: ids.map((id) => ({ id })),
    load: new Load(maxInFlight),
  });
  table.admit(backend);
  table.expect(backend.run, { models: ids.map((id) => ({ id })) });
  return backend;
}

/** Makes a server unable to take requests for a while. */
function trouble(table: RoutingTable, backend: Backend, what: Trouble | undefined): void {
  table.drain(backend);
  table.expect(backend.run, { models: backend.models, trouble: what });
}

describe("RoutingTable.only(), with replicas", () => {
  test.each<[when: string, servers: readonly Server[], taken: readonly string[]]>([
    ["there is one replica", [{ name: "a" }], ["a by only", "a by only", "saturated"]],
    [
      "the replicas share one model",
      [{ name: "a" }, { name: "b" }],
      ["b by load", "a by load", "b by load"],
    ],
    [
      "the newest backend is no replica",
      [{ name: "a" }, { name: "b", isReplica: false }],
      ["b", "b", "saturated"],
    ],
    [
      "the replicas share two models",
      [
        { name: "a", ids: ["m", "n"] },
        { name: "b", ids: ["m", "n"] },
      ],
      ["in doubt"],
    ],
    [
      "another server has another model",
      [{ name: "a" }, { name: "b" }, { name: "c", ids: ["n"] }],
      ["in doubt"],
    ],
  ])("when %s", (_when, servers, taken) => {
    const table = new RoutingTable();
    for (const server of servers) admit(table, server);
    expect(taken.map(() => text(table.only()))).toEqual([...taken]);
  });

  test("does not choose a replica that has failed the request", () => {
    const table = new RoutingTable();
    const a = admit(table, { name: "a" });
    expect(text(table.only({ failed: new Set([a]) }))).toBe("draining");
    const b = admit(table, { name: "b" });
    expect(text(table.only({ failed: new Set([b]) }))).toBe("a by failover");
    expect(text(table.only({ failed: new Set([a, b]) }))).toBe("draining");
  });
});

describe("RoutingTable.onlyServer(), with replicas", () => {
  test.each<[when: string, servers: readonly Server[], taken: readonly string[]]>([
    [
      "all share a model: the newest replica, until it is full",
      [{ name: "a" }, { name: "b" }],
      ["b by only", "b by only", "saturated"],
    ],
    [
      "all share a model, and one has another model too",
      [{ name: "a", ids: ["m", "n"] }, { name: "b" }],
      ["b by only"],
    ],
    [
      "one is no replica",
      [{ name: "a", isReplica: false }, { name: "b" }, { name: "c" }],
      ["in doubt"],
    ],
    ["the newest is no replica", [{ name: "a" }, { name: "b", isReplica: false }], ["in doubt"]],
    [
      "there is another server with another model",
      [{ name: "a" }, { name: "b" }, { name: "c", ids: ["n"] }],
      ["in doubt"],
    ],
    [
      "there is a replica of another model",
      [{ name: "x", ids: ["n"] }, { name: "a" }, { name: "b" }],
      ["in doubt"],
    ],
  ])("when %s", (_when, servers, taken) => {
    const table = new RoutingTable();
    for (const server of servers) admit(table, server);
    expect(taken.map(() => text(table.onlyServer()))).toEqual([...taken]);
  });

  test.each<[Trouble | undefined, whileNewest: string]>([
    ["unhealthy", "draining"],
    ["paused", "draining"],
    [undefined, "draining"],
    ["stopping", "a by only"],
    ["misconfigured", "a by only"],
  ])(
    "a replica that is %p counts as one of the group; if it is the newest: %s",
    (what, whileNewest) => {
      const table = new RoutingTable();
      const [, b] = ["a", "b"].map((name) => admit(table, { name, maxInFlight: 9 }));
      trouble(table, b!, what);
      expect(text(table.onlyServer())).toBe(whileNewest);
      expect(text(table.route("m", { goesToNewest: true }))).toBe(whileNewest);
      const c = admit(table, { name: "c" });
      expect(text(table.onlyServer())).toBe("c by only");
      table.remove(b!, "run-over"); // it is starting again
      expect(text(table.onlyServer())).toBe("c by only");
      trouble(table, c, what);
      expect(text(table.onlyServer())).toBe(whileNewest);
    },
  );

  test("the replica that started last is the keeper, even when the health of replicas changes", () => {
    const table = new RoutingTable();
    const replica = (name: string, startedAtMs: number): Backend =>
      makeBackend({ name, isReplica: true, run: { startedAtMs } });
    const [a, b] = [replica("a", 1), replica("b", 2)];
    for (const backend of [a, b]) table.admit(backend);
    table.drain(a);
    table.admit(makeBackend({ name: "a", isReplica: true, run: a.run, load: a.load })); // it became healthy last
    expect(text(table.onlyServer())).toBe("b by only");
    expect(text(table.only({ goesToNewest: true }))).toBe("b by only");
    expect(text(table.route("m", { goesToNewest: true }))).toBe("b by only");
  });

  test.each<[Trouble | undefined, taken: string]>([
    ["unhealthy", "in doubt"],
    [undefined, "in doubt"],
    ["stopping", "b by only"],
  ])("a server of the same model without the label that is %p: %s", (what, taken) => {
    const table = new RoutingTable();
    const loner = admit(table, { name: "loner", isReplica: false });
    for (const name of ["a", "b"]) admit(table, { name });
    trouble(table, loner, what);
    expect(text(table.onlyServer())).toBe(taken);
  });

  test("two groups with the same model count as two servers, and each group has its own newest", () => {
    const table = new RoutingTable();
    const inGroup = (shares: string, startedAtMs: number): Backend => {
      const name = `${shares}${startedAtMs}`;
      const backend = makeBackend({ name, shares, run: { startedAtMs } });
      table.admit(backend);
      table.expect(backend.run, { models: backend.models });
      return backend;
    };
    const rival = inGroup("b", 9);
    for (const startedAtMs of [3, 1]) inGroup("a", startedAtMs);
    expect(text(table.onlyServer())).toBe("in doubt");
    expect(text(table.route("m", { goesToNewest: true }))).toBe("a3 by only");
    trouble(table, rival, "stopping");
    expect(text(table.onlyServer())).toBe("a3 by only");
    expect(text(table.only({ goesToNewest: true }))).toBe("a3 by only");
  });

  test.each<[isReplica: boolean]>([[true], [false]])(
    "an unhealthy server with another model counts as a server (replica: %p)",
    (isReplica) => {
      const table = new RoutingTable();
      for (const name of ["a", "b"]) admit(table, { name });
      const stranger = admit(table, { name: "stranger", ids: ["n"], isReplica });
      trouble(table, stranger, "unhealthy");
      expect(text(table.onlyServer())).toBe("in doubt");
      table.expect(stranger.run, { models: stranger.models, trouble: "misconfigured" });
      expect(text(table.onlyServer())).toBe("b by only");
    },
  );
});

test("RoutingTable.newest() takes the newest replica and counts the decision", () => {
  const table = new RoutingTable();
  const [a, b] = ["a", "b"].map((name) => admit(table, { name }));
  expect([1, 2, 3].map(() => text(table.newest()))).toEqual([
    "b by only",
    "b by only",
    "saturated",
  ]);
  const counts = [a, b].map((backend) => backend!.load.lastMinute(performance.now()).only);
  expect(counts).toEqual([0, 2]);
});

test("a server that is no replica gets requests without a model, and no decision is counted", () => {
  const table = new RoutingTable();
  const a = admit(table, { name: "a", isReplica: false });
  expect([table.only(), table.onlyServer(), table.newest()].map(text)).toEqual([
    "a",
    "a",
    "saturated",
  ]);
  expect(text(table.routeToRun(a.run))).toBe("saturated");
  expect(a.load.lastMinute(performance.now()).only).toBe(0);
});
