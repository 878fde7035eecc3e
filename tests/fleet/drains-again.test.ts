/** Containers that are drained more than once, or by more than one proxy, on a fake engine. */
import { expect, test } from "bun:test";
import { FakeEngine } from "../support/engine/fake.ts";
import {
  leaseOf,
  startDiscovery,
  startModelServer,
  stateOf,
  untilKind,
} from "../support/proxy/discovery.ts";
import { lines, runOf } from "../support/proxy/drained.ts";
import { expectNever, until } from "../support/until.ts";

test("a run that another process has drained is unknown, not over", async () => {
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

test("after drain, undrain and drain, the log says once that no request is left, and not too early", async () => {
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
  const said = (): number => lines(discovery).filter((line) => line === "drain finished").length;
  await expectNever("it is logged too early", () => said() > 0, 20);
  second.end();
  await until("it is logged", () => said() > 0);
  expect([said(), stateOf(discovery, container)]).toEqual([1, "drained"]);
});
