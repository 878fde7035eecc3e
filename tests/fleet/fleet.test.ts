import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../support/engine/fake.ts";
import { inspectReplyOf } from "../support/engine/replies.ts";
import { kindOf, startDiscovery, startModelServer, untilKind } from "../support/proxy/discovery.ts";
import { expectNever, until, within } from "../support/until.ts";

describe("Fleet", () => {
  test("finds containers that already run, and is ready then", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    expect(discovery.fleet.isReady).toBe(false);
    await until("it is ready", () => discovery.fleet.isReady);
    expect(kindOf(discovery)).toBe("live");
  });

  test("is ready when the first read of models has failed or takes too long", async () => {
    using fake = await new FakeEngine().start();
    using failing = startModelServer();
    using silent = startModelServer();
    failing.answer = () => new Response("", { status: 503 });
    silent.answer = () => new Promise(() => undefined);
    fake.add({ port: failing.port });
    using quick = startDiscovery(fake);
    await until("it is ready", () => quick.fleet.isReady);
    fake.add({ port: silent.port });
    using slow = startDiscovery(fake, { readyTimeoutMs: 100 });
    await until("the silent one is asked", () => silent.reads() > 0);
    expect(slow.fleet.isReady).toBe(false);
    await until("it is ready", () => slow.fleet.isReady);
  });

  test("is not ready while the engine does not answer", async () => {
    using fake = await new FakeEngine().start();
    fake.intercept = (path) =>
      path.includes("/containers/json") ? { status: 500, body: "{}" } : undefined;
    using discovery = startDiscovery(fake);
    await until("the list was asked for", () =>
      fake.requests.some((path) => path.includes("/containers/json")),
    );
    await expectNever("it is ready", () => discovery.fleet.isReady, 20);
    expect(discovery.log.count("container list failed")).toBe(1);
    fake.intercept = () => undefined;
    await until("it is ready, by itself", () => discovery.fleet.isReady);
  });

  test("a container that is stopping when the proxy starts is known from the replay, and never routed", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    fake.kill(container);
    using discovery = startDiscovery(fake);
    await until("it is ready", () => discovery.fleet.isReady);
    await discovery.docker.resync();
    expect([kindOf(discovery), models.reads()]).toEqual(["unknown", 0]);
  });

  test("a replayed kill of the run before does not affect the present run", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    fake.emit(container, "kill", { signal: "15" }, container.startedAtMs - 10);
    fake.emit(container, "die", {}, container.startedAtMs - 5);
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
  });

  test("an old event that comes late does not affect the current run", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    const lease = discovery.table.route("m");
    fake.emit(container, "die", {}, container.startedAtMs - 5);
    await until("the event has arrived", () => discovery.received() === 1);
    await discovery.docker.resync();
    expect(lease.kind === "routed" && lease.lease.backend.state).toBe("active");
  });

  test.each(["die", "stop", "destroy"])(
    "%s ends the run at once, even if the engine is slow",
    async (action) => {
      using fake = await new FakeEngine().start();
      using models = startModelServer("m");
      const container = fake.add({ port: models.port });
      using discovery = startDiscovery(fake);
      await untilKind(discovery, "live");
      const never = Promise.withResolvers<undefined>();
      fake.intercept = (path) => (path.includes(container.id) ? never.promise : undefined);
      fake.emit(container, action);
      await untilKind(discovery, "unavailable"); // the engine has not reported yet what followed
      never.resolve(undefined);
    },
  );

  test("an inspect that began before the end of the run does not bring it back", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const stale = JSON.stringify(inspectReplyOf(container));
    let asked = 0;
    fake.intercept = async (path) => {
      if (!path.includes(container.id)) return undefined;
      asked += 1;
      if (asked > 1) {
        await second.promise;
        return undefined;
      }
      await first.promise;
      return { status: 200, body: stale };
    };
    const resync = discovery.docker.resync();
    await until("the inspect is in progress", () => asked === 1);
    fake.exit(container);
    await untilKind(discovery, "unavailable");
    first.resolve();
    await until("it is asked again", () => asked === 2);
    const isBack = (): boolean => kindOf(discovery) !== "unavailable" || models.reads() > 1;
    await expectNever("it counts as running", isBack, 50);
    second.resolve();
    await resync;
    expect([kindOf(discovery), models.reads()]).toEqual(["unknown", 1]);
  });

  test("a slow inspect, a failing inspect or slow models of one container delay no other", async () => {
    using fake = await new FakeEngine().start();
    using silent = startModelServer();
    using models = startModelServer("m");
    silent.answer = () => new Promise(() => undefined);
    fake.add({ port: silent.port });
    const stuck = fake.add();
    const broken = fake.add();
    const never = Promise.withResolvers<undefined>();
    fake.intercept = (path) => {
      if (path.includes(stuck.id)) return never.promise;
      return path.includes(broken.id)
        ? { status: 500, body: '{"message":"dead store"}' }
        : undefined;
    };
    using discovery = startDiscovery(fake);
    await until("the first one is asked for models", () => silent.reads() > 0);
    const container = fake.add({ port: models.port, health: "starting" });
    fake.setHealth(container, "healthy");
    await untilKind(discovery, "live");
    expect(discovery.log.count("dead store")).toBe(1);
    never.resolve(undefined);
  });

  test("a failed inspect is no observation: the state stays", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, { callTimeoutMs: 400 });
    await untilKind(discovery, "live");
    const never = Promise.withResolvers<undefined>();
    fake.intercept = (path) => (path.includes(container.id) ? never.promise : undefined);
    await discovery.docker.resync();
    expect([kindOf(discovery), discovery.log.count("no answer in time")]).toEqual(["live", 1]);
    never.resolve(undefined);
  });

  test("a resync repairs the table after a lost event", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port, health: "starting" });
    using discovery = startDiscovery(fake, { resyncMs: 30 });
    await until("it is ready", () => discovery.fleet.isReady);
    container.health = "healthy";
    await untilKind(discovery, "live");
    fake.containers.delete(container.id);
    await untilKind(discovery, "unknown");
  });

  test("a stop notice that the container survives lapses, and its models are read before it is routed", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port, stopTimeoutS: 0.1 });
    using discovery = startDiscovery(fake, { drainTimeoutMs: 50 });
    await untilKind(discovery, "live");
    fake.kill(container);
    await untilKind(discovery, "draining");
    await untilKind(discovery, "unavailable"); // its deadline
    await untilKind(discovery, "live"); // by a timer, without an event or resync
    expect(models.reads()).toBe(2);
  });

  test("dead containers are forgotten: a name that comes back is a new container", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    using discovery = startDiscovery(fake);
    await until("it is ready", () => discovery.fleet.isReady);
    for (let n = 0; n < 20; n += 1) {
      const container = fake.add({ port: models.port, name: "same", health: "starting" });
      fake.setHealth(container, "healthy");
      await untilKind(discovery, "live");
      fake.exit(container);
      fake.containers.delete(container.id);
      await untilKind(discovery, "unknown");
    }
    await within("the last resync", discovery.docker.resync());
    const inspected = fake.requests.length;
    await discovery.docker.resync();
    expect(fake.requests.length - inspected).toBe(1); // only the list: there is no container to inspect
  });
});
