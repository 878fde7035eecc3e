import { describe, expect, test } from "bun:test";
import type { CloseReason, Lease } from "../../../src/routing/backend.ts";
import { FakeEngine } from "../../support/engine/fake.ts";
import {
  type Discovery,
  kindOf,
  modelList,
  startDiscovery,
  startModelServer,
  untilKind,
} from "../../support/proxy/discovery.ts";
import { startHost } from "../../support/replay/host.ts";
import { expectNever, until } from "../../support/until.ts";

type Request = { readonly lease: Lease; closedBy: CloseReason | undefined };

/** Takes a lease, as a request does. */
function request(discovery: Discovery): Request {
  const route = discovery.table.route("m");
  if (route.kind !== "routed") throw new Error(`Cannot take a lease: the model is ${route.kind}`);
  const taken: Request = { lease: route.lease, closedBy: undefined };
  route.lease.onClose((why) => {
    taken.closedBy = why;
  });
  return taken;
}

describe("DockerSource: a stop", () => {
  test("of an unknown container does not cause a read of its models", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    using discovery = startDiscovery(fake);
    await until("it is ready", () => discovery.fleet.isReady);
    const container = fake.add({ port: models.port });
    fake.kill(container);
    await until("the event has come", () => discovery.received() === 1);
    await discovery.docker.resync();
    expect([kindOf(discovery), models.reads()]).toEqual(["unknown", 0]);
  });

  test("that is older than the run and comes late has no effect", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    const { lease } = request(discovery);
    fake.emit(container, "kill", { signal: "15" }, container.startedAtMs - 1);
    await until("the event has come", () => discovery.received() === 1);
    await discovery.docker.resync();
    expect([kindOf(discovery), lease.backend.state]).toEqual(["live", "active"]);
  });

  test("that comes twice cuts at the deadline of the first one", async () => {
    const DRAIN_MS = 700;
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, { drainTimeoutMs: DRAIN_MS });
    await untilKind(discovery, "live");
    const running = request(discovery);
    const beganMs = performance.now();
    fake.kill(container);
    await untilKind(discovery, "draining");
    await expectNever("it is cut early", () => running.closedBy !== undefined, DRAIN_MS - 100);
    fake.kill(container);
    await until("it is cut", () => running.closedBy !== undefined);
    expect(running.closedBy).toBe("cut");
    expect(performance.now() - beganMs).toBeWithin(DRAIN_MS - 10, 2 * DRAIN_MS - 110);
  });

  test("while paused gives draining requests their deadline, and the end of the run ends them", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, { drainTimeoutMs: 50 });
    await untilKind(discovery, "live");
    const running = request(discovery);
    Object.assign(container, { status: "paused", health: "unhealthy" });
    fake.emit(container, "pause");
    await untilKind(discovery, "draining");
    // 100 ms: longer than the drain timeout, which has not begun.
    await expectNever("it is cut", () => running.closedBy !== undefined, 100);
    fake.kill(container);
    await until("it is cut", () => running.closedBy === "cut");
    fake.emit(container, "unpause");
    fake.exit(container);
    await until("all has come", () => discovery.received() === 4);
    await discovery.docker.resync();
    expect([kindOf(discovery), discovery.table.backends.size]).toEqual(["unknown", 0]);
  });

  test("during a read of its models ends the read, and a late answer has no effect", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const gate = Promise.withResolvers<void>();
    models.answer = async () => {
      await gate.promise;
      return modelList("m");
    };
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await until("it is asked", () => models.reads() === 1);
    fake.kill(container);
    await until("the event has come", () => discovery.received() === 1);
    gate.resolve();
    await discovery.docker.resync();
    // 400 ms: longer than a retry would wait.
    const isRead = (): boolean => kindOf(discovery) !== "unknown" || models.reads() > 1;
    await expectNever("it is routed, or asked again", isRead, 400);
  });
});

describe("DockerSource: one run after another", () => {
  test.each<[what: string, when: "late" | "never"]>([
    ["late, and does not end the new run", "late"],
    ["never, and the new run shows that the old run is over", "never"],
  ])("the end of the old run is reported %s", async (_what, when) => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    const before = request(discovery);
    const endedMs = Date.now() - 1;
    fake.startAgain(container);
    fake.setHealth(container, "healthy");
    await until("the old run is over", () => before.closedBy === "run-over");
    await untilKind(discovery, "live");
    const after = request(discovery);
    if (when === "late") {
      for (const action of ["die", "stop"]) fake.emit(container, action, {}, endedMs);
      await until("all has come", () => discovery.received() === 4);
    }
    await discovery.docker.resync();
    expect([after.closedBy, kindOf(discovery), discovery.table.backends.size]).toEqual([
      undefined,
      "live",
      1,
    ]);
  });

  test.each<[during: string]>([["an inspect"], ["a read of its models"], ["a drain"]])(
    "docker rm -f during %s leaves nothing behind",
    async (during) => {
      using fake = await new FakeEngine().start();
      using models = startModelServer("m");
      const container = fake.add({ port: models.port });
      using discovery = startDiscovery(fake);
      await untilKind(discovery, "live");
      const running = request(discovery);
      const gate = Promise.withResolvers<void>();
      if (during === "an inspect") {
        fake.holdBack = (path) => (path.includes(container.id) ? gate.promise : undefined);
        fake.emit(container, "health_status: healthy");
      }
      if (during === "a read of its models") {
        models.answer = () => new Promise(() => undefined);
        void discovery.fleet.refreshModels();
        await until("it is asked", () => models.reads() === 2);
      }
      if (during === "a drain") {
        fake.kill(container);
        await untilKind(discovery, "draining");
      }
      fake.containers.delete(container.id);
      fake.kill(container, 9);
      fake.emit(container, "die", { exitCode: "137" });
      fake.emit(container, "destroy");
      await until("it is gone", () => running.closedBy === "run-over");
      gate.resolve();
      await discovery.docker.resync();
      expect([kindOf(discovery), discovery.table.backends.size]).toEqual(["unknown", 0]);
      const before = fake.requests.length;
      await discovery.docker.resync();
      expect(fake.requests.length - before).toBe(1); // the list: no container is inspected any more
    },
  );

  test("healthy, dead and back at a new address within 100 ms: uses only the last address", async () => {
    using fake = await new FakeEngine().start();
    using host = startHost(250);
    const [first = "", second = ""] = host.addresses;
    const asked: string[] = [];
    host.answer = async (address) => {
      asked.push(address);
      await Bun.sleep(20); // a slow server
      return modelList("m");
    };
    using discovery = startDiscovery(fake, { lookPaceMs: 50 });
    await until("it is ready", () => discovery.fleet.isReady);
    const container = fake.add({ port: host.port, health: "starting", ipAddress: first });
    fake.emit(container, "start");
    await until("its start is known", () => discovery.received() === 1);
    fake.setHealth(container, "healthy");
    await until("it is being asked", () => asked.length === 1);
    fake.exit(container);
    await until("its end is known", () => discovery.received() === 3);
    container.ipAddress = second;
    fake.startAgain(container);
    fake.setHealth(container, "healthy");
    const askedFirst = asked.filter((address) => address === first).length;
    await untilKind(discovery, "live");
    const { backend } = request(discovery).lease;
    expect([backend.origin, discovery.table.backends.size]).toEqual([
      `http://${second}:${host.port}`,
      1,
    ]);
    expect(asked.filter((address) => address === first)).toHaveLength(askedFirst);
  });

  test("flapping health under load loses no request, and leaves no backend behind", async () => {
    const FLAPS = 60;
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    const all: Request[] = [];
    let most = 0;
    for (let n = 0; n < FLAPS; n += 1) {
      fake.setHealth(container, n % 2 === 0 ? "unhealthy" : "healthy");
      for (let k = 0; k < 10; k += 1) {
        if (kindOf(discovery) === "live") {
          const taken = request(discovery);
          all.push(taken);
          setTimeout(() => taken.lease.end(), (k * 97) % 80); // the time that a client takes
        }
        await Bun.sleep(2); // so that health changes about every 20 ms
      }
      most = Math.max(most, discovery.table.backends.size);
    }
    await untilKind(discovery, "live");
    const backends = new Set(all.map(({ lease }) => lease.backend));
    await until("all have ended", () => [...backends].every(({ inFlight }) => inFlight === 0));
    await until("one is left", () => discovery.table.backends.size === 1);
    // Each request came to its own end: only idle backends are removed.
    expect(all.filter(({ closedBy }) => closedBy !== undefined)).toEqual([]);
    expect(backends.size).toBeWithin(FLAPS / 4, FLAPS);
    expect(most).toBeLessThan(8);
    expect(models.reads()).toBeLessThan(FLAPS);
  });
});
