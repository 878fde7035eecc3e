import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { abandonedSocket } from "../../support/engine/abandoned-socket.ts";
import { FakeEngine } from "../../support/engine/fake.ts";
import { startRelay } from "../../support/engine/relay.ts";
import { startDiscovery, startModelServer } from "../../support/proxy/discovery.ts";
import { expectNever, until } from "../../support/until.ts";

describe("follow()", () => {
  test("waits for an engine that does not run yet, and logs once that it is missing and once that it is there", async () => {
    using fake = new FakeEngine();
    using models = startModelServer("m");
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await until("it is logged", () => discovery.log.count("no such socket") > 0);
    // 600 ms: about two more tries.
    await expectNever("it says so again", () => discovery.log.count("no such socket") > 1, 600);
    expect(discovery.connection.status).toMatchObject({
      state: "connecting",
      reason: expect.stringContaining("no such socket"),
    });
    await fake.start();
    await until("it is found", () => discovery.table.find("m").kind === "live");
    expect(discovery.log.count("engine reconnected")).toBe(1);
    expect(discovery.connection.status.state).toBe("connected");
  });

  test("keeps the table while the engine is away, and corrects it when the engine is back", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await until("it is live", () => discovery.table.find("m").kind === "live");
    const { sinceMs } = discovery.connection.status;
    expect(Date.now() - sinceMs).toBeWithin(0, 3_000);
    fake.stop();
    await until("it is reported", () => discovery.log.count("no such socket") > 0);
    const lost = discovery.connection.status;
    expect(lost).toMatchObject({
      state: "lost",
      reason: expect.stringContaining("no such socket"),
    });
    expect(lost.sinceMs).toBeGreaterThanOrEqual(sinceMs);
    const isChanged = (): boolean =>
      discovery.connection.status.sinceMs !== lost.sinceMs ||
      discovery.table.find("m").kind !== "live";
    await expectNever("another try changes anything", isChanged, 300);
    fake.containers.delete(container.id);
    await fake.start();
    await until("the table is right", () => discovery.table.find("m").kind === "unknown");
    expect([
      discovery.log.count("no such socket"),
      discovery.log.count("engine reconnected"),
    ]).toEqual([1, 1]);
  });

  test("opens a stream that ends again, and logs nothing above debug", async () => {
    using fake = await new FakeEngine().start();
    using discovery = startDiscovery(fake);
    await until("it is ready", () => discovery.fleet.isReady);
    const before = discovery.log.lines.filter(({ level }) => level !== "debug").length;
    for (let n = 0; n < 3; n += 1) {
      fake.cutStreams();
      await until("it is open again", () => fake.streamCount === 1);
    }
    expect(discovery.log.lines.filter(({ level }) => level !== "debug")).toHaveLength(before);
  });

  test("asks first for the events of the last 10 minutes, later from 2 s before the last event", async () => {
    using fake = await new FakeEngine().start();
    using discovery = startDiscovery(fake);
    await until("the stream is open", () => fake.streamCount === 1);
    const since = (): readonly number[] =>
      fake.requests
        .filter((path) => path.includes("/events"))
        .map((path) => Number(new URLSearchParams(path.split("?")[1]).get("since")));
    expect(Date.now() / 1000 - since()[0]!).toBeWithin(599, 605);
    const eventMs = Date.now() - 5_000;
    fake.emit(fake.add({ status: "exited" }), "start", {}, eventMs);
    await until("the event has come", () => discovery.received() === 1);
    fake.cutStreams();
    await until("the stream is open again", () => since().length === 2);
    expect(since()[1]!).toBeCloseTo(eventMs / 1000 - 2, 2);
  });

  test("resyncs after every opening, and subscribes before it lists", async () => {
    using fake = await new FakeEngine().start();
    using discovery = startDiscovery(fake);
    const kinds = (): readonly string[] =>
      fake.requests.map((path) => /events|json|version/.exec(path)?.[0] ?? path);
    await until("it is ready", () => discovery.fleet.isReady);
    expect(kinds()).toEqual(["version", "events", "json"]);
    fake.cutStreams();
    await until("it was listed again", () => kinds().length === 6);
    expect(kinds().slice(3)).toEqual(["version", "events", "json"]);
  });

  test("admits no container in the first moments of a new stream", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    using discovery = startDiscovery(fake, { settleMs: 150 });
    await until("the stream is open", () => fake.streamCount === 1);
    const container = fake.add({ port: models.port, health: "starting" });
    const openedMs = performance.now();
    fake.setHealth(container, "healthy");
    await until("it is live", () => discovery.table.find("m").kind === "live");
    expect(performance.now() - openedMs).toBeGreaterThan(100);
  });

  test("opens a silent stream again, and logs nothing above debug", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    using relay = await startRelay(fake.socketPath, join(fake.directory, "relay.sock"));
    using discovery = startDiscovery(relay, { silenceMs: 300 });
    await until("it is ready", () => discovery.fleet.isReady);
    const before = discovery.log.lines.filter(({ level }) => level !== "debug").length;
    relay.freeze();
    const container = fake.add({ port: models.port });
    fake.emit(container, "health_status: healthy");
    const frozenMs = performance.now();
    await until("it is live anyway", () => discovery.table.find("m").kind === "live");
    expect(performance.now() - frozenMs).toBeWithin(100, 1_500);
    const said = discovery.log.lines.filter(({ level }) => level !== "debug");
    expect(said.slice(before).map((line) => line["container"])).toEqual([
      container.name, // the proxy asks for its models
      container.name, // routed
    ]);
    expect(discovery.connection.status.state).toBe("connected");
  });

  test("logs at the next resync that the engine no longer answers, and logs when it is back", async () => {
    using fake = await new FakeEngine().start();
    using discovery = startDiscovery(fake, { resyncMs: 200, callTimeoutMs: 500 });
    await until("it is ready", () => discovery.fleet.isReady);
    const asked = (what: string): number =>
      fake.requests.filter((path) => path.includes(what)).length;
    await until("it was listed again and again", () => asked("/containers/json") >= 6);
    expect(asked("/events")).toBe(1);
    const { promise: hung, resolve: wake } = Promise.withResolvers<undefined>();
    fake.intercept = () => hung;
    await until("it is lost", () => discovery.connection.status.state === "lost");
    expect(discovery.connection.isFollowed).toBe(false);
    expect(discovery.connection.status.reason).toContain("no answer in time");
    wake(undefined);
    fake.intercept = () => undefined;
    await until("it is back", () => discovery.log.count("engine reconnected") === 1);
    expect(discovery.log.count("no answer in time. The proxy tries again")).toBe(1);
  });

  test("does not reopen a stream that delivers events", async () => {
    using fake = await new FakeEngine().start();
    using discovery = startDiscovery(fake, { silenceMs: 200 });
    await until("it is ready", () => discovery.fleet.isReady);
    const stranger = fake.add({ labels: {} });
    const opened = (): number => fake.requests.filter((path) => path.includes("/events")).length;
    const isOpenedAgain = (): boolean => {
      fake.emit(stranger, "start");
      return opened() > 1;
    };
    await expectNever("it is opened again while something comes", isOpenedAgain, 500);
    await until("it has been silent for too long", () => opened() === 2);
  });

  test("says once what may be wrong with the mount when connections are refused for long", async () => {
    using socket = await abandonedSocket();
    using discovery = startDiscovery({ socketPath: socket.path }, { staleMs: 300 });
    const stale = (): number => discovery.log.count("restart the proxy, or mount the socket's");
    await until("it is logged", () => discovery.log.count("connection refused") === 1);
    expect(stale()).toBe(0);
    await until("it has lasted", () => stale() === 1);
    expect(discovery.connection.status.reason).toContain("restart the proxy, or mount");
    // 1.5 s: one or two more tries.
    const isRepeated = (): boolean =>
      stale() > 1 || discovery.log.count("The proxy tries again") > 1;
    await expectNever("it is said again", isRepeated, 1_500);
    using fake = await new FakeEngine(socket.path).start();
    await until("it is back", () => discovery.log.count("engine reconnected") === 1);
    expect(fake.streamCount).toBe(1);
    fake.stop();
    await until("it is gone again", () => discovery.log.count("The proxy tries again") === 2);
    expect(stale()).toBe(1);
  });
});
