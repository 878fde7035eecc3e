import { describe, expect, test } from "bun:test";
import { Fleet } from "../../src/fleet/fleet.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import type { Present, Sighting, SightingListener } from "../../src/sources/sighting.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";
import { listOf } from "../support/server/backends.ts";
import { until } from "../support/until.ts";

const SERVER = { source: "test", id: "one" };
const RUN = { ...SERVER, startedAtMs: 2 };
const CRASHED = {
  kind: "exited",
  brief: "exited with code 1",
  reason: "exited with code 1",
} as const;
const STOPPED = { kind: "stopped", brief: "was stopped", reason: "was stopped" } as const;
const COMMON = { server: SERVER, name: "vllm", slots: ["name vllm"] };

function rig(): { readonly table: RoutingTable; readonly listener: SightingListener } {
  const table = new RoutingTable();
  const readModels = (): Promise<ReturnType<typeof listOf>> => Promise.resolve(listOf("m"));
  const fleet = new Fleet({ table, log: memoryLog(), drainTimeoutMs: 60_000, readModels });
  const source = { name: "test", isFollowing: () => true, settled: () => Promise.resolve() };
  return { table, listener: fleet.join(source) };
}

function present(more: Partial<Present>): Sighting {
  const origin = "http://127.0.0.1:1";
  return {
    ...COMMON,
    ...{ kind: "present", run: RUN, origin, origins: [origin], seen: "starting" },
    ...{ settings: { basePath: "/v1", models: ["m"] } },
    ...more,
  };
}

describe("A server that is starting again", () => {
  test("says that it has crashed, if it has", () => {
    const { table, listener } = rig();
    listener.saw(present({ lastEnd: CRASHED }), 1);
    expect(table.find("m")).toMatchObject({ says: "exited with code 1 and is starting again" });
  });

  test.each<[why: string, more: Partial<Present>]>([
    ["it was stopped", { lastEnd: STOPPED }],
    [
      "another trouble is known",
      { lastEnd: CRASHED, seen: "not healthy", trouble: { state: "paused", reason: "paused" } },
    ],
  ])("does not say that it has crashed, if %s", (_why, more) => {
    const { table, listener } = rig();
    listener.saw(present(more), 1);
    expect(table.find("m").kind).toBe("unavailable");
    expect(table.find("m")).not.toHaveProperty("says");
  });
});

describe("A server that has served", () => {
  async function serving(): Promise<ReturnType<typeof rig>> {
    const at = rig();
    at.listener.saw(present({ seen: "routable" }), 1);
    await until("it is routed", () => at.table.find("m").kind === "live");
    return at;
  }

  test("goes on when its source reports the end of an earlier run", async () => {
    const { table, listener } = await serving();
    listener.over({ ...SERVER, startedAtMs: 1 }, CRASHED);
    expect(table.find("m").kind).toBe("live");
    listener.over(RUN, CRASHED);
    expect(table.find("m").kind).toBe("unavailable");
  });

  test("is still expected to serve its models if its label opts it out while it runs", async () => {
    const { table, listener } = await serving();
    const absent = {
      ...COMMON,
      kind: "absent",
      state: "disabled",
      reason: "",
      outlook: "gone",
    } as const;
    listener.saw({ ...absent, comesBack: true }, 2);
    expect(table.find("m").kind).toBe("unavailable");
    listener.saw({ ...absent, comesBack: false }, 3);
    expect(table.find("m").kind).toBe("unknown");
  });
});
