import { expect, test } from "bun:test";
import { ServedModels } from "../../src/fleet/served-models.ts";
import { RoutingTable } from "../../src/routing/table.ts";

const RUNNING = {
  outlook: "runs",
  isRoutable: true,
  isActive: false,
  named: undefined,
  trouble: undefined,
  says: undefined,
} as const;
const OLD = {
  ...RUNNING,
  server: { source: "docker", id: "old" },
  slots: ["name vllm"],
  served: [{ id: "m", aliases: ["a"] }],
};
const NEW = {
  ...RUNNING,
  server: { source: "docker", id: "new" },
  slots: ["name vllm"],
  served: [],
};

function rig(): { readonly table: RoutingTable; readonly served: ServedModels } {
  const table = new RoutingTable();
  return { table, served: new ServedModels(table) };
}

test("a model whose container runs without serving it is unavailable, not unknown", () => {
  const { table, served } = rig();
  served.tell(OLD);
  expect(table.find("m")).toEqual({ kind: "unavailable", id: "m" });
  expect(table.route("m")).toEqual({ kind: "unavailable" });
  served.tell({ ...OLD, outlook: "gone" });
  expect(table.find("m")).toEqual({ kind: "unknown" });
});

test("an alias of such a model is unavailable too, and its trouble is known", () => {
  const { table, served } = rig();
  served.tell({ ...OLD, trouble: "paused" });
  expect(table.find("a")).toEqual({ kind: "unavailable", id: "m", trouble: "paused" });
  served.tell(OLD);
  expect(table.find("a")).toEqual({ kind: "unavailable", id: "m" });
});

// Until issue 15 the model was unknown. The answer was a final 404 that asked to try again.
test("a model is unavailable if another container of the same name starts in place of the old one", () => {
  const { table, served } = rig();
  served.tell(NEW);
  expect(table.find("m")).toEqual({ kind: "unknown" });
  served.tell(OLD);
  served.tell({ ...OLD, outlook: "gone" });
  expect(table.find("m")).toEqual({ kind: "unknown" });
  served.tell(NEW);
  expect(table.find("m")).toEqual({ kind: "unavailable", id: "m" });
  expect(table.find("other")).toEqual({ kind: "unknown" });
  served.tell({ ...NEW, outlook: "gone" });
  expect(table.find("m")).toEqual({ kind: "unknown" });
});

test("models that a label names are expected before their server has served any", () => {
  const { table, served } = rig();
  served.tell({ ...NEW, named: [{ id: "a" }] });
  expect(table.find("a")).toEqual({ kind: "unavailable", id: "a" });
  served.tell({ ...NEW, named: [{ id: "a" }], isRoutable: false });
  expect(table.find("a")).toEqual({ kind: "unknown" });
});

test.each([
  ["is set up so that it is never routed", { isRoutable: false }],
  ["has read its list, and has no models", { isActive: true }],
])("the models of the container before are unknown if the new one %s", (_why, change) => {
  const { table, served } = rig();
  served.tell(OLD);
  served.tell({ ...OLD, outlook: "gone" });
  served.tell({ ...NEW, ...change });
  expect(table.find("m")).toEqual({ kind: "unknown" });
});

test("a server whose list has become empty is expected to serve nothing, like another one of its name", () => {
  const { table, served } = rig();
  const nothing = { kind: "unknown" } as const;
  served.tell(OLD);
  served.tell({ ...OLD, served: [], isActive: true });
  expect(table.find("m")).toEqual(nothing);
  served.tell({ ...OLD, served: [] }); // it is unhealthy, for example
  expect(table.find("m")).toEqual(nothing);
  served.tell({ ...OLD, served: [], outlook: "gone" });
  served.tell(NEW);
  expect(table.find("m")).toEqual(nothing);
});

test("a name is forgotten after two thousand others", () => {
  const { table, served } = rig();
  served.tell(OLD);
  served.tell({ ...OLD, outlook: "gone" });
  for (let n = 0; n < 2_000; n += 1) {
    const one = {
      ...RUNNING,
      server: { source: "docker", id: `c${n}` },
      slots: [`name n${n}`],
      served: [{ id: "x" }],
    };
    served.tell(one);
    served.tell({ ...one, outlook: "gone" });
  }
  served.tell(NEW);
  expect(table.find("m")).toEqual({ kind: "unknown" });
});

test("a model whose only container can't be routed as it is set up is hopeless", () => {
  const { table, served } = rig();
  served.tell({ ...OLD, trouble: "misconfigured" });
  expect(table.find("m")).toMatchObject({ trouble: "misconfigured", isHopeless: true });
  served.tell({ ...OLD, trouble: "unhealthy" });
  expect(table.find("m")).not.toHaveProperty("isHopeless");
});

test("a model is unknown as soon as the successor of its container cannot start any more", () => {
  const table = new RoutingTable();
  const served = new ServedModels(table, { waitTimeoutMs: 60_000 });
  served.tell(OLD);
  served.tell({ ...NEW, outlook: "created" });
  served.tell({ ...OLD, outlook: "was stopped" });
  expect(table.find("m")).toMatchObject({ kind: "unavailable", trouble: "being replaced" });
  served.tell({ ...NEW, outlook: "gone", lost: "could not be started" });
  expect(table.find("m")).toEqual({ kind: "unknown", says: "was stopped" });
  served.tell({ ...NEW, outlook: "runs", served: [{ id: "m" }] });
  served.tell({ ...NEW, outlook: "gone", served: [{ id: "m" }], lost: "exited with code 1" });
  expect(table.find("m")).toEqual({ kind: "unknown", says: "exited with code 1" });
});
