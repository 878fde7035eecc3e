import { expect, test } from "bun:test";
import { ServedModels } from "../../src/fleet/served-models.ts";
import { RoutingTable } from "../../src/routing/table.ts";

const OLD = {
  server: { source: "docker", id: "old" },
  name: "vllm",
  isAlive: true,
  served: ["m"],
  hasNone: false,
};
const NEW = {
  server: { source: "docker", id: "new" },
  name: "vllm",
  isAlive: true,
  served: [],
  hasNone: false,
};

function rig(): { readonly table: RoutingTable; readonly served: ServedModels } {
  const table = new RoutingTable();
  return { table, served: new ServedModels(table) };
}

test("a model whose container runs on without serving it is unavailable, not unknown", () => {
  const { table, served } = rig();
  served.tell(OLD);
  expect([table.find("m"), table.route("m")]).toEqual([
    { kind: "unavailable" },
    { kind: "unavailable" },
  ]);
  served.tell({ ...OLD, isAlive: false });
  expect(table.find("m")).toEqual({ kind: "unknown", isStarting: false });
});

test("a container that takes another's place is known to be starting, once that one is gone", () => {
  const { table, served } = rig();
  served.tell(NEW);
  expect(table.find("m")).toEqual({ kind: "unknown", isStarting: false });
  served.tell(OLD);
  served.tell({ ...OLD, isAlive: false });
  served.tell(NEW);
  expect(table.find("m")).toEqual({ kind: "unknown", isStarting: true });
  expect(table.find("other")).toEqual({ kind: "unknown", isStarting: false });
  served.tell({ ...NEW, isAlive: false });
  expect(table.find("m")).toEqual({ kind: "unknown", isStarting: false });
});

test("a server whose list has become empty is expected to serve nothing, and so is one of its name", () => {
  const { table, served } = rig();
  const nothing = { kind: "unknown", isStarting: false } as const;
  served.tell(OLD);
  served.tell({ ...OLD, served: [], hasNone: true });
  expect(table.find("m")).toEqual(nothing);
  served.tell({ ...OLD, served: [] }); // it is unhealthy, say
  expect(table.find("m")).toEqual(nothing);
  served.tell({ ...OLD, served: [], isAlive: false });
  served.tell(NEW);
  expect(table.find("m")).toEqual(nothing);
});

test("names are forgotten when there have been a thousand others", () => {
  const { table, served } = rig();
  served.tell(OLD);
  served.tell({ ...OLD, isAlive: false });
  for (let n = 0; n < 1_000; n += 1) {
    const one = {
      server: { source: "docker", id: `c${n}` },
      name: `n${n}`,
      isAlive: true,
      served: ["x"],
      hasNone: false,
    };
    served.tell(one);
    served.tell({ ...one, isAlive: false });
  }
  served.tell(NEW);
  expect(table.find("m")).toEqual({ kind: "unknown", isStarting: false });
});
