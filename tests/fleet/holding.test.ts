import { describe, expect, test } from "bun:test";
import { Holding, type HoldingInit } from "../../src/fleet/holding.ts";
import type { ModelList } from "../../src/fleet/model-list.ts";
import { ModelsUnreadable } from "../../src/fleet/models-failure.ts";
import type { Rank } from "../../src/routing/run.ts";
import type { Health } from "../../src/sources/sighting.ts";
import { type MemoryLog, memoryLog } from "../support/proxy/memory-log.ts";
import { WatchedTable } from "../support/proxy/watched-table.ts";
import { listed, listOf } from "../support/server/backends.ts";
import { FOLLOWING, type Place, RUN, sightingOf } from "../support/server/sightings.ts";
import { expectNever, until } from "../support/until.ts";

type Rig = {
  readonly holding: Holding;
  readonly see: (seen: Health | "absent", place: Place, rank: Rank) => void;
  readonly table: WatchedTable;
  readonly log: MemoryLog;
};

function rig(options: Partial<HoldingInit> = {}): Rig {
  const table = new WatchedTable();
  const log = memoryLog();
  const holding = new Holding("vllm", {
    table,
    log,
    drainTimeoutMs: 60_000,
    readModels: async () => listOf("m"),
    source: FOLLOWING,
    onOverlap: () => undefined,
    onProgress: () => undefined,
    ...options,
  });
  const see: Rig["see"] = (seen, place, rank) => holding.saw(sightingOf(seen, place), rank);
  return { holding, see, table, log };
}

async function active(options: Partial<HoldingInit> = {}): Promise<Rig> {
  const made = rig(options);
  made.see("routable", RUN, 1);
  await until("it is active", () => made.holding.held === "active");
  return made;
}

const NEVER = (): Promise<ModelList> => new Promise(() => undefined);

const ENDED = { kind: "exited", brief: "has ended", reason: "exited with code 0" } as const;

describe("Holding", () => {
  test("routable → probing → active once its models are read", async () => {
    const { holding, see, table } = rig();
    see("routable", RUN, 1);
    expect([holding.held, table.find("m").kind]).toEqual(["probing", "unknown"]);
    await until("it is active", () => holding.held === "active");
    expect(table.find("m").kind).toBe("live");
  });

  test.each(["stopping", "not healthy", "starting", "absent"] as const)(
    "%s while its models are read: the read is aborted and no backend is admitted",
    async (seen) => {
      let aborted = false;
      const late = Promise.withResolvers<ModelList>();
      const { holding, see, table } = rig({
        readModels: (_url, signal) => {
          signal.addEventListener("abort", () => {
            aborted = true;
          });
          return late.promise;
        },
      });
      see("routable", RUN, 1);
      see(seen, RUN, 2);
      expect([holding.held, aborted]).toEqual(["unknown", true]);
      late.resolve(listOf("m")); // the answer still comes
      await late.promise;
      const isAdmitted = (): boolean =>
        holding.held !== "unknown" || table.find("m").kind !== "unknown";
      await expectNever("it is admitted", isAdmitted, 5);
    },
  );

  test("models that were read wait until the event stream has settled", async () => {
    const settled = Promise.withResolvers<void>();
    const { holding, see, table } = rig({
      source: { ...FOLLOWING, settled: () => settled.promise },
    });
    see("routable", RUN, 1);
    await expectNever("it is admitted before", () => holding.held !== "probing", 5);
    settled.resolve();
    await until("it is routed", () => table.find("m").kind === "live");
  });

  test("a stop notice drains it; at the deadline the remaining requests are cut", async () => {
    const { holding, see, table, log } = await active({ drainTimeoutMs: 30 });
    const route = table.route("m");
    const told: string[] = [];
    if (route.kind === "routed") route.lease.onClose((why) => told.push(why));
    see("stopping", RUN, 2);
    see("stopping", RUN, 3); // a second docker stop does not extend it
    expect([holding.held, table.find("m").kind]).toEqual(["draining after notice", "draining"]);
    await until("it is cut", () => told.length > 0);
    expect([told, holding.held, table.find("m").kind]).toEqual([["cut"], "unknown", "unknown"]);
    expect(log.count('"requests_cut":1')).toBe(1);
  });

  test("a draining backend stays even without requests in flight, and health does not count any more", async () => {
    const { holding, see, table } = await active();
    see("stopping", RUN, 2);
    for (const seen of ["not healthy", "starting", "stopping"] as const) {
      see(seen, RUN, 3);
      expect(table.find("m").kind).toBe("draining");
    }
    holding.over(ENDED);
    expect([holding.held, table.find("m").kind]).toEqual(["unknown", "unknown"]);
  });

  test("unhealthy drains without a deadline; healthy again: a new backend at once, with its last models", async () => {
    const { holding, see, table } = await active({ drainTimeoutMs: 1 });
    const before = table.route("m");
    see("not healthy", RUN, 2);
    const isOver = (): boolean =>
      holding.held !== "draining" || table.find("m").kind !== "draining";
    await expectNever("the drain timeout of 1 ms applies", isOver, 10);
    see("routable", RUN, 3);
    expect([holding.held, table.find("m").kind, table.backends.size]).toEqual([
      "active",
      "live",
      2,
    ]);
    if (before.kind !== "routed") throw new Error("not routed");
    expect(before.lease.backend.state).toBe("draining"); // the answer in progress goes on
    before.lease.end();
    await until("the old backend is removed", () => table.backends.size === 1);
  });

  test("the end of the run closes the new backend and the draining ones", async () => {
    const { holding, see, table } = await active();
    const told: string[] = [];
    const first = table.route("m");
    if (first.kind === "routed") first.lease.onClose((why) => told.push(why));
    see("not healthy", RUN, 2);
    see("routable", RUN, 3);
    const second = table.route("m");
    if (second.kind === "routed") second.lease.onClose((why) => told.push(why));
    holding.over(ENDED);
    expect([told, table.backends.size]).toEqual([["run-over", "run-over"], 0]);
  });

  test("a stop notice gives every draining backend its deadline", async () => {
    const { see, table } = await active({ drainTimeoutMs: 20 });
    table.route("m");
    see("not healthy", RUN, 2);
    see("routable", RUN, 3);
    table.route("m");
    see("stopping", RUN, 4);
    await until("both are cut", () => table.backends.size === 0);
  });

  test("after a lapsed stop notice, its models are read before it is active again", async () => {
    let reads = 0;
    const { holding, see } = await active({
      readModels: async () => {
        reads += 1;
        return listOf(`m${reads}`);
      },
    });
    see("stopping", RUN, 2);
    see("routable", RUN, 3);
    expect([holding.held, reads]).toEqual(["probing", 2]);
    await until("it is active again", () => holding.held === "active");
  });

  test("another start: the run before is over, and the new one begins as unknown", async () => {
    const { holding, see, table } = await active();
    const told: string[] = [];
    const route = table.route("m");
    if (route.kind === "routed") route.lease.onClose((why) => told.push(why));
    see("starting", { ...RUN, run: { ...RUN.run, startedAtMs: 2_000 } }, 2);
    expect([told, holding.held, table.find("m").kind]).toEqual([
      ["run-over"],
      "unknown",
      "unknown",
    ]);
  });

  test("another address: the old backend drains without a deadline, and the new place is probed", async () => {
    const { holding, see, table } = await active({ drainTimeoutMs: 1 });
    const before = table.route("m");
    see("routable", { ...RUN, origin: "http://127.0.0.2:8000" }, 2);
    expect(holding.held).toBe("probing");
    if (before.kind !== "routed") throw new Error("not routed");
    expect(before.lease.backend.state).toBe("draining");
    await until("it is active", () => holding.held === "active");
    const after = table.route("m");
    expect(after.kind === "routed" && after.lease.backend.origin).toBe("http://127.0.0.2:8000");
  });

  test("a failed read is tried again; the reason is known until a read succeeds", async () => {
    let reads = 0;
    const failures: (string | undefined)[] = [];
    const { holding, see } = rig({
      readModels: async () => {
        reads += 1;
        if (reads < 3) throw new ModelsUnreadable("the server answered 503 to GET /models");
        return listOf("m");
      },
      onProgress: () => failures.push(holding.failure),
    });
    see("routable", RUN, 1);
    await until("it is active", () => holding.held === "active");
    const failure = "the server answered 503 to GET /models";
    expect(failures).toEqual([failure, failure, undefined]);
  });

  test("a failed re-read keeps the list; a successful one replaces it", async () => {
    let reads = 0;
    const { holding, see, table } = await active({
      readModels: async () => {
        reads += 1;
        if (reads === 2) throw new ModelsUnreadable("busy");
        return listOf(reads === 1 ? "m" : "new");
      },
    });
    see("not healthy", RUN, 2);
    see("routable", RUN, 3);
    await holding.firstRead;
    expect(table.find("m").kind).toBe("live");
    await until("the list is replaced", () => table.find("new").kind === "live");
    expect(listed(table.models)).toEqual([{ id: "new" }]);
  });

  test("`served` outlasts the run, and `inFlight` counts all backends", async () => {
    const { holding, see, table } = await active();
    table.route("m");
    see("not healthy", RUN, 2);
    see("routable", RUN, 3);
    table.route("m");
    expect([holding.inFlight, holding.served]).toEqual([2, [{ id: "m" }]]);
    holding.over(ENDED);
    expect([holding.inFlight, holding.served]).toEqual([0, [{ id: "m" }]]);
  });

  test("firstRead resolves without a reading, and when a read is given up", async () => {
    const { holding, see } = rig({ readModels: NEVER });
    await holding.firstRead;
    see("routable", RUN, 1);
    expect(holding.held).toBe("probing");
  });
});
