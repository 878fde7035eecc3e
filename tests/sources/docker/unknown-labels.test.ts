import { expect, test } from "bun:test";
import { FakeEngine } from "../../support/engine/fake.ts";
import { startDiscovery, startModelServer, untilKind } from "../../support/proxy/discovery.ts";
import { until } from "../../support/until.ts";

test("events of containers without a label of ours cause no requests to the engine", async () => {
  using fake = await new FakeEngine().start();
  using discovery = startDiscovery(fake);
  await until("it is ready", () => discovery.fleet.isReady);
  const stranger = fake.add({ labels: { "com.example": "x" } });
  const before = fake.requests.length;
  fake.emit(stranger, "start");
  fake.setHealth(stranger, "healthy");
  fake.kill(stranger);
  fake.exit(stranger);
  await until("the events have come", () => discovery.received() === 4);
  await discovery.docker.resync();
  expect(fake.requests.slice(before)).toEqual(["/v1.41/containers/json?all=1"]);
});

test("lists stopped containers, does not route them, and they do not disturb running ones", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  for (const status of ["exited", "created", "dead"]) fake.add({ status, health: undefined });
  const other = fake.add({ status: "exited", port: models.port });
  fake.add({ labels: { "inference.port": "1" }, health: undefined });
  using discovery = startDiscovery(fake);
  await until("it is ready", () => discovery.fleet.isReady);
  expect(discovery.table.models).toEqual([]);
  const warnings = discovery.log.lines.filter(({ level }) => level === "warn");
  expect(warnings.map(({ reason }) => reason)).toEqual([
    "label inference.enable is missing; write inference.enable=true to make the proxy route it",
  ]);
  fake.startAgain(other);
  fake.setHealth(other, "healthy");
  await untilKind(discovery, "live");
  fake.exit(other);
  await untilKind(discovery, "unknown");
});

test("warns about a misspelled label before it logs the state of the container", async () => {
  using fake = await new FakeEngine().start();
  fake.add({ labels: { "inference.enable": "true", "inference.prot": "1" }, health: undefined });
  using discovery = startDiscovery(fake);
  await until("it is ready", () => discovery.fleet.isReady);
  const told = discovery.log.lines.map(({ message }) => message);
  const ofIt = told.filter((message) => /unknown labels|^container /.test(message));
  expect(ofIt).toEqual(["unknown labels", "container ignored"]);
});

test("the warning about a misspelled label names the existing labels", async () => {
  using fake = await new FakeEngine().start();
  fake.add({ labels: { "inference.enable": "true", "inference.replicas": "true" } });
  using discovery = startDiscovery(fake);
  await until("the warning is logged", () => discovery.log.count("unknown labels") === 1);
  const warning = discovery.log.lines.find(({ message }) => message === "unknown labels");
  expect(warning).toMatchObject({
    labels: ["inference.replicas"],
    reason: expect.stringContaining("inference.models, inference.replica, inference.max_in_flight"),
  });
});
