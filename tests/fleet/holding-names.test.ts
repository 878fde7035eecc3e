import { expect, test } from "bun:test";
import { Holding } from "../../src/fleet/holding.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";
import { models } from "../support/server/backends.ts";
import { FOLLOWING, RUN, sightingOf } from "../support/server/sightings.ts";
import { until } from "../support/until.ts";

test("Holding.served has the other names of its models, and is the same array until the names change", async () => {
  let list = models({ id: "m", aliases: ["a"] });
  const holding = new Holding("vllm", {
    table: new RoutingTable(),
    log: memoryLog(),
    drainTimeoutMs: 60_000,
    readModels: async () => ({ models: list }),
    source: FOLLOWING,
    onOverlap: () => undefined,
    onProgress: () => undefined,
  });
  holding.saw(sightingOf("routable", RUN), 1);
  await until("it is active", () => holding.held === "active");
  const first = holding.served;
  list = models({ id: "m", aliases: ["a"], loaded: true });
  await holding.rereadModels();
  expect(holding.served).toBe(first);
  list = models({ id: "m", aliases: ["a", "b"], parent: "base" });
  await holding.rereadModels();
  expect(holding.served).toEqual([{ id: "m", aliases: ["a", "b"], parent: "base" }]);
});
