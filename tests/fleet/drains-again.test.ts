/** Containers that are taken out by hand more than once, or by more than one proxy, on a fake engine. */
import { expect, test } from "bun:test";
import type { DrainResult } from "../../src/fleet/drains.ts";
import type { Lease } from "../../src/routing/backend.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import {
  type Discovery,
  startDiscovery,
  startModelServer,
  stateOf,
  untilKind,
} from "../support/proxy/discovery.ts";
import { expectNever, until } from "../support/until.ts";

function leaseOf(discovery: Discovery, model = "m"): Lease {
  const route = discovery.table.route(model);
  if (route.kind !== "routed") throw new Error(`Cannot get a lease: ${route.kind}`);
  return route.lease;
}

function runOf(result: DrainResult): string {
  if (result.kind !== "done") throw new Error(result.reason);
  return result.run;
}

function lines({ log }: Discovery): readonly string[] {
  return log.lines.filter(({ level }) => level !== "debug").map(({ message }) => message);
}

test("a run that another process has drained is not taken for one that is over", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  fake.add({ port: models.port, name: "vllm" });
  using before = startDiscovery(fake);
  await untilKind(before, "live");
  const run = runOf(before.fleet.drains.drain("vllm"));
  using after = startDiscovery(fake);
  expect(after.fleet.drains.stateOf(run)).toEqual({ state: "unknown", inFlight: 0 });
  expect(before.fleet.drains.stateOf(run)).toEqual({ state: "drained", inFlight: 0 });
});

test("taken out, back, and out again: that no request is left is said when it is so, once", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  const container = fake.add({ port: models.port, name: "vllm" });
  using discovery = startDiscovery(fake);
  await untilKind(discovery, "live");
  const { drains } = discovery.fleet;
  const first = leaseOf(discovery);
  drains.drain("vllm");
  drains.undrain("vllm");
  await untilKind(discovery, "live");
  const second = leaseOf(discovery);
  drains.drain("vllm");
  first.end();
  const said = (): number =>
    lines(discovery).filter((line) => line === "container drained: no request is left").length;
  await expectNever("it is said too early", () => said() > 0, 20);
  second.end();
  await until("it is said", () => said() > 0);
  expect([said(), stateOf(discovery, container)]).toEqual([1, "drained"]);
});
