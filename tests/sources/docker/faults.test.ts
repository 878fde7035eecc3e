import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../../support/engine/fake.ts";
import {
  kindOf,
  startDiscovery,
  startModelServer,
  untilKind,
} from "../../support/proxy/discovery.ts";
import { expectNever, until } from "../../support/until.ts";

function lists(fake: FakeEngine): number {
  return fake.requests.filter((path) => path.includes("/containers/json")).length;
}

function inspects(fake: FakeEngine, id: string): number {
  return fake.requests.filter((path) => path.includes(id)).length;
}

describe("DockerSource, regressions:", () => {
  test("follows a changed address at once, because another container may have the old one already", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    container.ipAddress = "";
    fake.emitNetwork(container, "disconnect");
    await untilKind(discovery, "unavailable");
    container.ipAddress = "127.0.0.1";
    fake.emitNetwork(container, "connect");
    await untilKind(discovery, "live");
  });

  test("ignores network events of containers that are not ours, except of our own container", async () => {
    using fake = await new FakeEngine().start();
    const stranger = fake.add({ labels: {} });
    const own = fake.add({ labels: {} });
    using discovery = startDiscovery(fake, { own: { containerId: own.id } });
    await until("it is ready", () => discovery.fleet.isReady);
    const before = lists(fake);
    fake.emitNetwork(stranger, "connect");
    fake.emitNetwork(own, "connect");
    await until("all is read again", () => lists(fake) > before);
    expect(inspects(fake, stranger.id)).toBe(0);
  });

  test("repeats a failing list at a constant pace, however long it fails", async () => {
    using fake = await new FakeEngine().start();
    fake.intercept = (path) =>
      path.includes("/containers/json") ? { status: 500, body: "{}" } : undefined;
    using _discovery = startDiscovery(fake, { resyncMs: 100 });
    const beganMs = performance.now();
    await until("it has been asked for 20 times", () => lists(fake) >= 20, 5_000);
    // At the timer's pace this takes 2 s. It would take much less if each failure caused one more try.
    expect(performance.now() - beganMs).toBeGreaterThan(1_400);
  });

  test("a stop without a time limit never lapses, and causes no requests to the engine", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port, stopTimeoutS: -1 });
    using discovery = startDiscovery(fake, { drainTimeoutMs: 20 });
    await untilKind(discovery, "live");
    fake.kill(container);
    await untilKind(discovery, "unavailable"); // its deadline
    await discovery.docker.resync();
    const before = inspects(fake, container.id);
    const isLooking = (): boolean => inspects(fake, container.id) > before;
    await expectNever("it lapses", () => kindOf(discovery) !== "unavailable" || isLooking(), 100);
  });

  test("is not ready while it can't inspect a container, unless that takes too long", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    fake.intercept = (path) =>
      path.includes(container.id) ? { status: 500, body: "{}" } : undefined;
    using waiting = startDiscovery(fake);
    using impatient = startDiscovery(fake, { readyTimeoutMs: 1 });
    await until("the impatient one is ready", () => impatient.fleet.isReady);
    expect(waiting.fleet.isReady).toBe(false);
    fake.intercept = () => undefined;
    await until("the waiting one is ready", () => waiting.fleet.isReady);
    expect(kindOf(waiting)).toBe("live");
  });

  test("closes a container that lost its last network and is then stopped at once, and only once", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, { drainTimeoutMs: 50 });
    await untilKind(discovery, "live");
    const route = discovery.table.route("m");
    const told: string[] = [];
    if (route.kind === "routed") route.lease.onClose((why) => told.push(why));
    container.ipAddress = "";
    fake.emitNetwork(container, "disconnect");
    await untilKind(discovery, "unavailable");
    fake.kill(container);
    fake.exit(container);
    await untilKind(discovery, "unknown");
    expect(told).toEqual(["run-over"]);
  });

  test("a wrongly set up container that restarts again and again causes one warning a minute", async () => {
    using fake = await new FakeEngine().start();
    const container = fake.add({ health: undefined });
    using discovery = startDiscovery(fake);
    await until("the warning is logged", () => discovery.log.count("container ignored") === 1);
    for (let n = 0; n < 5; n += 1) {
      fake.exit(container);
      await discovery.docker.resync();
      fake.startAgain(container);
      container.health = undefined;
      await discovery.docker.resync();
    }
    const told = discovery.log.lines.filter(({ message }) => message === "container ignored");
    expect(told.map(({ level }) => level)).toEqual(["warn", ...Array(5).fill("debug")]);
  });

  test("two containers with one model that restart again and again cause one warning", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    fake.add({ port: models.port });
    const other = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await until("the warning is logged", () => discovery.log.count("duplicate models") === 1);
    for (let n = 0; n < 3; n += 1) {
      fake.exit(other);
      await until("it is gone", () => discovery.table.backends.size === 1);
      fake.startAgain(other);
      fake.setHealth(other, "healthy");
      await until("it is back", () => discovery.table.backends.size === 2);
    }
    expect(discovery.log.count("duplicate models")).toBe(1);
  });

  test("a look from before a new stream readmits no container in the stream's first moments", async () => {
    const SETTLE_MS = 300;
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, { settleMs: SETTLE_MS });
    await untilKind(discovery, "live");
    fake.setHealth(container, "unhealthy");
    await untilKind(discovery, "draining");
    container.health = "healthy";
    const gate = Promise.withResolvers<void>();
    let asked = 0;
    fake.intercept = async (path) => {
      if (path.includes(container.id)) {
        asked += 1;
        await gate.promise;
      }
      return undefined;
    };
    void discovery.docker.resync();
    await until("the inspect has begun", () => asked === 1);
    fake.cutStreams();
    await until("the stream is open again", () => fake.streamCount === 1);
    gate.resolve();
    const isReadmitted = (): boolean => kindOf(discovery) !== "draining";
    await expectNever("it is readmitted while the stream is fresh", isReadmitted, SETTLE_MS / 3);
    await untilKind(discovery, "live");
  });

  test("ending a loop does not remove the loop that followed it", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    using discovery = startDiscovery(fake);
    await until("it is ready", () => discovery.fleet.isReady);
    const container = fake.add({ port: models.port, status: "exited" });
    for (let n = 0; n < 20; n += 1) {
      fake.intercept = async (path) => {
        if (path.includes(container.id)) await Bun.sleep(Math.random() * 5); // a slow engine
        return undefined;
      };
      fake.emit(container, "die");
      fake.emit(container, "start");
      fake.startAgain(container);
      fake.setHealth(container, "healthy");
      await untilKind(discovery, "live");
      expect(discovery.table.backends.size).toBe(1);
      fake.exit(container);
      await untilKind(discovery, "unknown");
      expect(discovery.table.backends.size).toBe(0);
    }
  });
});
