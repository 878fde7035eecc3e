/** Containers that an operator drains, on a fake engine, through the whole discovery. */
import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../support/engine/fake.ts";
import {
  kindOf,
  leaseOf,
  startDiscovery,
  startModelServer,
  stateOf,
  untilKind,
  untilState,
} from "../support/proxy/discovery.ts";
import { lines, runOf } from "../support/proxy/drained.ts";
import { expectNever, until } from "../support/until.ts";

describe("drain", () => {
  test("sends no new requests to the container; requests in flight finish", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port, name: "vllm" });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    const { drains } = discovery.fleet;
    const lease = leaseOf(discovery);
    const result = drains.drain("vllm");
    expect(result).toMatchObject({ kind: "done", name: "vllm", inFlight: 1, isNew: true });
    expect(discovery.table.route("m")).toMatchObject({ kind: "draining", trouble: "drained" });
    expect(discovery.containers()[0]).toMatchObject({
      state: "drained",
      reason: "drained by an operator; to route it again, run lw-inference-proxy undrain vllm",
      in_flight: 1,
      models: [],
    });
    expect(drains.stateOf(runOf(result))).toEqual({ state: "drained", inFlight: 1 });
    const again = { kind: "done", run: runOf(result), isNew: false };
    expect(drains.drain("vllm")).toMatchObject(again); // changes nothing
    await discovery.docker.resync();
    expect([stateOf(discovery, container), lease.backend.state]).toEqual(["drained", "draining"]);
    expect(lines(discovery)).not.toContain("drain finished");
    lease.end();
    expect(drains.stateOf(runOf(result))).toEqual({ state: "drained", inFlight: 0 });
    await until("it says so", () => lines(discovery).at(-1)?.endsWith("drain finished") === true);
    expect(lines(discovery).filter((line) => line.includes("drain"))).toEqual([
      "container drained",
      "drain finished",
    ]);
  });

  test.each(["unhealthy", "paused"])(
    "takes precedence over %s, and lasts when that is over",
    async (what) => {
      using fake = await new FakeEngine().start();
      using models = startModelServer("m");
      const container = fake.add({ port: models.port, name: "vllm" });
      using discovery = startDiscovery(fake);
      await untilKind(discovery, "live");
      if (what === "paused") container.status = "paused";
      fake.setHealth(container, "unhealthy");
      await untilState(discovery, container, what);
      expect(discovery.fleet.drains.drain("vllm")).toMatchObject({ kind: "done", isNew: true });
      expect(stateOf(discovery, container)).toBe("drained");
      container.status = "running";
      fake.setHealth(container, "healthy");
      await discovery.docker.resync();
      expect([stateOf(discovery, container), kindOf(discovery)]).toEqual(["drained", "draining"]);
    },
  );

  test("of a starting container: it is not asked for its models when it is healthy", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port, name: "vllm", health: "starting" });
    using discovery = startDiscovery(fake);
    await untilState(discovery, container, "starting");
    discovery.fleet.drains.drain("vllm");
    fake.setHealth(container, "healthy");
    await discovery.docker.resync();
    expect([stateOf(discovery, container), models.reads()]).toEqual(["drained", 0]);
    discovery.fleet.drains.undrain("vllm");
    await untilKind(discovery, "live");
  });

  test("of a container that is being asked for its models stops the reading", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const answer = Promise.withResolvers<Response>();
    models.answer = () => answer.promise;
    const container = fake.add({ port: models.port, name: "vllm" });
    using discovery = startDiscovery(fake);
    await untilState(discovery, container, "reading_models");
    discovery.fleet.drains.drain("vllm");
    answer.resolve(Response.json({ data: [{ id: "m" }] }));
    await discovery.docker.resync();
    await expectNever("it is routed", () => kindOf(discovery) === "live", 20);
  });

  test("gives way to a stop with its usual drain timeout, and does not log that no request is left", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port, name: "vllm" });
    using discovery = startDiscovery(fake, { drainTimeoutMs: 50 });
    await untilKind(discovery, "live");
    const lease = leaseOf(discovery);
    lease.onClose(() => lease.end());
    discovery.fleet.drains.drain("vllm");
    fake.kill(container);
    await untilState(discovery, container, "stopping");
    await until("the time is up", () => lines(discovery).includes("drain timeout expired"));
    expect(discovery.log.count("drain finished")).toBe(0);
  });

  test.each(["crash", "restart"])(
    "ends with the run: after a %s the container is routed again",
    async (how) => {
      using fake = await new FakeEngine().start();
      using models = startModelServer("m");
      const container = fake.add({ port: models.port, name: "vllm" });
      using discovery = startDiscovery(fake);
      await untilKind(discovery, "live");
      const lease = leaseOf(discovery);
      const { drains } = discovery.fleet;
      const run = runOf(drains.drain("vllm"));
      if (how === "restart") fake.kill(container);
      fake.exit(container);
      await untilState(discovery, container, "stopped");
      expect(drains.stateOf(run)).toEqual({ state: "over", inFlight: 0 });
      expect(drains.undrain("vllm")).toMatchObject({ kind: "impossible" });
      lease.end();
      fake.startAgain(container);
      fake.setHealth(container, "healthy");
      await untilKind(discovery, "live");
      expect(drains.stateOf(run)).toEqual({ state: "over", inFlight: 0 });
      expect(discovery.log.count("drain finished")).toBe(0);
    },
  );

  test("outlasts a change of networks that moves the run to another address", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port, name: "vllm" });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    discovery.fleet.drains.drain("vllm");
    container.ipAddress = "127.0.0.2";
    fake.emitNetwork(container, "connect");
    await until(
      "it is at the new address",
      () => discovery.containers()[0]?.address?.includes("127.0.0.2") === true,
    );
    expect([stateOf(discovery, container), kindOf(discovery)]).toEqual(["drained", "unavailable"]);
  });

  test("of a replica moves its requests to the other replicas", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const labels = {
      "inference.enable": "true",
      "inference.port": String(models.port),
      "inference.replica": "true",
    };
    const [one, two] = [fake.add({ name: "one", labels }), fake.add({ name: "two", labels })];
    using discovery = startDiscovery(fake);
    for (const each of [one, two]) await untilState(discovery, each, "routed");
    discovery.fleet.drains.drain("two");
    const leases = Array.from({ length: 4 }, () => leaseOf(discovery));
    expect(leases.map(({ backend }) => backend.name)).toEqual(["one", "one", "one", "one"]);
    // The keeper is the replica that started last, unless it is leaving.
    expect(discovery.table.route("m", { goesToNewest: true })).toMatchObject({ kind: "routed" });
  });
});

describe("undrain", () => {
  test("routes the container at once with its last models, and reads them again", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port, name: "vllm" });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    const { drains } = discovery.fleet;
    const lease = leaseOf(discovery);
    const run = runOf(drains.drain("vllm"));
    const reads = models.reads();
    expect(drains.undrain("vllm")).toMatchObject({ kind: "done", run, isNew: true, inFlight: 1 });
    expect([kindOf(discovery), stateOf(discovery, container)]).toEqual(["live", "routed"]);
    expect(drains.stateOf(run)).toEqual({ state: "undrained", inFlight: 1 });
    await until("its models are read", () => models.reads() > reads);
    lease.end();
    expect(drains.undrain("vllm")).toMatchObject({ kind: "done", isNew: false });
    expect(discovery.log.count("container undrained")).toBe(1);
    expect(discovery.log.count("drain finished")).toBe(0);
    drains.drain("vllm"); // within a minute, but logged again
    await until("it says so", () => lines(discovery).at(-1)?.endsWith("drain finished") === true);
    expect(lines(discovery).filter((line) => line === "container drained")).toHaveLength(2);
  });

  test("takes into account what happened to the container meanwhile", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port, name: "vllm" });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    discovery.fleet.drains.drain("vllm");
    fake.setHealth(container, "unhealthy");
    await discovery.docker.resync();
    expect(stateOf(discovery, container)).toBe("drained");
    discovery.fleet.drains.undrain("vllm");
    expect([stateOf(discovery, container), kindOf(discovery)]).toEqual(["unhealthy", "draining"]);
  });

  test("makes the container the newest of its model, as if it became healthy again", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const old = fake.add({ port: models.port, name: "old", startedAtMs: fake.nowMs() - 5_000 });
    const young = fake.add({ port: models.port, name: "young" });
    using discovery = startDiscovery(fake);
    for (const each of [old, young]) await untilState(discovery, each, "routed");
    expect(leaseOf(discovery).backend.name).toBe("young");
    discovery.fleet.drains.drain("old");
    discovery.fleet.drains.undrain("old");
    expect(leaseOf(discovery).backend.name).toBe("old");
  });
});
