/** All backends of a run share its load. */
import { describe, expect, test } from "bun:test";
import { Holding } from "../../src/fleet/holding.ts";
import type { Lease } from "../../src/routing/backend.ts";
import type { Rank } from "../../src/routing/run.ts";
import type { Health } from "../../src/sources/sighting.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";
import { WatchedTable } from "../support/proxy/watched-table.ts";
import { listOf } from "../support/server/backends.ts";
import { FOLLOWING, type Place, RUN, sightingOf } from "../support/server/sightings.ts";
import { until } from "../support/until.ts";

type Rig = {
  readonly holding: Holding;
  readonly see: (seen: Health, place: Place, rank: Rank) => void;
  readonly table: WatchedTable;
};

async function active(place: Place): Promise<Rig> {
  const table = new WatchedTable();
  const holding = new Holding("vllm", {
    table,
    log: memoryLog(),
    drainTimeoutMs: 60_000,
    readModels: async () => listOf("m"),
    source: FOLLOWING,
    onOverlap: () => undefined,
    onProgress: () => undefined,
  });
  const see: Rig["see"] = (seen, of, rank) => holding.saw(sightingOf(seen, of), rank);
  see("routable", place, 1);
  await until("it is active", () => holding.held === "active");
  return { holding, see, table };
}

const SHARING: Place = { ...RUN, settings: { shares: "some", maxInFlight: 2 } };

describe("Holding, the load of its run", () => {
  function take(table: WatchedTable): Lease {
    const route = table.route("m");
    if (route.kind !== "routed") throw new Error(`not routed: ${route.kind}`);
    return route.lease;
  }

  test("its backend is a replica and has the limit if the labels say so", async () => {
    const { table } = await active(SHARING);
    expect(take(table).backend.shares).toBe("some");
    take(table);
    expect(table.route("m").kind).toBe("saturated");
    const { holding } = await active(RUN);
    expect([holding.active?.shares, holding.active?.load.isFull]).toEqual([undefined, false]);
  });

  test("unhealthy and back: requests in flight on the old backend count for the new one", async () => {
    const { holding, see, table } = await active(SHARING);
    const before = take(table);
    see("not healthy", SHARING, 2);
    see("routable", SHARING, 3);
    const load = holding.active?.load;
    expect(holding.active).not.toBe(before.backend);
    expect([load, load?.inFlight]).toEqual([before.backend.load, 1]);
    take(table);
    expect(table.route("m").kind).toBe("saturated");
    before.end();
    expect([load?.inFlight, table.route("m").kind]).toEqual([1, "routed"]);
  });

  test("new labels of the same run apply at once; requests in flight go on and count", async () => {
    const { holding, see, table } = await active(SHARING);
    const before = [take(table), take(table)];
    see("routable", { ...RUN, settings: { shares: "others", maxInFlight: 3 } }, 2);
    expect(holding.held).toBe("active"); // in the same step, so there is always an active backend
    const next = take(table);
    expect(next.backend).not.toBe(before[0]!.backend);
    expect([next.backend.shares, next.backend.load.inFlight]).toEqual(["others", 3]);
    expect(table.route("m").kind).toBe("saturated");
    expect(before[0]!.backend.state).toBe("draining");
    for (const lease of before) lease.end();
    await until("the old backend leaves", () => before[0]!.backend.state === "closed");
    see("routable", RUN, 3);
    expect([holding.active?.shares, holding.active?.load.isFull]).toEqual([undefined, false]);
  });

  test("a removed limit wakes the waiting requests", async () => {
    const { see, table } = await active(SHARING);
    take(table);
    take(table);
    let changes = 0;
    table.onChange(() => (changes += 1));
    see("routable", { ...RUN, settings: { shares: "some" } }, 2);
    expect(changes).toBeGreaterThan(0);
    expect(table.route("m").kind).toBe("routed");
  });

  test("other models or another path: its models are read again", async () => {
    const { holding, see } = await active(SHARING);
    const url = { ...SHARING, settings: { ...SHARING.settings, basePath: "/v2" } };
    see("routable", url, 2);
    expect(holding.held).toBe("probing");
    await until("it is active again", () => holding.active?.basePath === "/v2");
    see("routable", { ...url, settings: { ...url.settings, models: ["named"] } }, 3);
    await until("it has the named one", () => holding.active?.models[0]?.id === "named");
    const active_ = holding.active;
    see("routable", { ...url, settings: { ...url.settings, models: ["named"] } }, 4);
    expect(holding.active).toBe(active_);
  });

  test("another address of the same run: the load goes on", async () => {
    const { holding, see, table } = await active(SHARING);
    take(table);
    see("routable", { ...SHARING, origin: "http://127.0.0.2:8000" }, 2);
    await until("it is active", () => holding.held === "active");
    expect(holding.active?.load.inFlight).toBe(1);
  });

  test("started again: the load begins at 0, and requests of the run before do not affect it", async () => {
    const { holding, see, table } = await active(SHARING);
    const before = [take(table), take(table)];
    const again = { ...SHARING, run: { ...RUN.run, startedAtMs: 2_000 } };
    see("routable", again, 2);
    await until("it is active", () => holding.held === "active");
    const load = holding.active?.load;
    expect([load?.inFlight, load?.isFull]).toEqual([0, false]);
    take(table);
    for (const lease of before) lease.end();
    expect(load?.inFlight).toBe(1);
  });
});
