import { describe, expect, test } from "bun:test";
import { startDiscovery, startModelServer } from "../support/discovery.ts";
import { FakeEngine } from "../support/fake-engine.ts";
import { until } from "../support/until.ts";

describe("watch()", () => {
  test("an engine that is not there yet is reported once, waited for, and reported once when it is", async () => {
    using fake = new FakeEngine();
    using models = startModelServer("m");
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await until("it has said so", () => discovery.log.count("no such socket") > 0);
    await Bun.sleep(600); // two more tries or so
    expect(discovery.log.count("no such socket")).toBe(1);
    expect(discovery.connection.status).toMatchObject({
      state: "connecting",
      reason: expect.stringContaining("no such socket"),
    });
    await fake.start();
    await until("it is found", () => discovery.table.find("m").kind === "live");
    expect(discovery.log.count("is back")).toBe(1);
    expect(discovery.connection.status.state).toBe("connected");
  });

  test("an engine that goes away: the table stays, and is right again after it is back", async () => {
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
    await Bun.sleep(300); // another try or so
    expect(discovery.connection.status.sinceMs).toBe(lost.sinceMs);
    expect(discovery.table.find("m").kind).toBe("live");
    fake.containers.delete(container.id);
    await fake.start();
    await until("the table is right", () => discovery.table.find("m").kind === "unknown");
    expect([discovery.log.count("no such socket"), discovery.log.count("is back")]).toEqual([1, 1]);
  });

  test("a stream that merely ends is opened again without a word above debug", async () => {
    using fake = await new FakeEngine().start();
    using discovery = startDiscovery(fake);
    await until("it is ready", () => discovery.controller.isReady);
    const before = discovery.log.lines.filter(({ level }) => level !== "debug").length;
    for (let n = 0; n < 3; n += 1) {
      fake.cutStreams();
      await until("it is open again", () => fake.streamCount === 1);
    }
    expect(discovery.log.lines.filter(({ level }) => level !== "debug")).toHaveLength(before);
  });

  test("asks for the events of the last 10 minutes at first, later from 2 s before the last one", async () => {
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

  test("a resync follows every opening, and subscribing comes before listing", async () => {
    using fake = await new FakeEngine().start();
    using discovery = startDiscovery(fake);
    const kinds = (): readonly string[] =>
      fake.requests.map((path) => /events|json|version/.exec(path)?.[0] ?? path);
    await until("it is ready", () => discovery.controller.isReady);
    expect(kinds()).toEqual(["version", "events", "json"]);
    fake.cutStreams();
    await until("it was listed again", () => kinds().length === 6);
    expect(kinds().slice(3)).toEqual(["version", "events", "json"]);
  });

  test("nobody is admitted in the first moments of a fresh stream", async () => {
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
});
