import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../../support/engine/fake.ts";
import {
  kindOf,
  startDiscovery,
  startModelServer,
  untilKind,
} from "../../support/proxy/discovery.ts";
import { until } from "../../support/until.ts";

const DAY_MS = 86_400_000;

/** How far the engine's clock is ahead of ours. */
const OFFSETS: readonly (readonly [what: string, offMs: number])[] = [
  ["a day ahead", DAY_MS],
  ["a day behind", -DAY_MS],
  ["90 s ahead", 90_000],
  ["90 s behind", -90_000],
];

async function startFake(clockOffsetMs: number): Promise<FakeEngine> {
  return Object.assign(await new FakeEngine().start(), { clockOffsetMs });
}

describe("Discovery with an engine whose clock differs from ours", () => {
  test.each(OFFSETS)("%s: a stop drains at once and stays a stop", async (_what, offMs) => {
    using fake = await startFake(offMs);
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    fake.kill(container);
    await untilKind(discovery, "draining");
    for (let n = 0; n < 3; n += 1) await discovery.docker.resync();
    expect([kindOf(discovery), discovery.containers()[0]?.state]).toEqual(["draining", "stopping"]);
  });

  test.each(OFFSETS)("%s: knows a stop that began before the start", async (_what, offMs) => {
    using fake = await startFake(offMs);
    using models = startModelServer("m");
    const container = fake.add({ port: models.port, startedAtMs: fake.nowMs() - 60_000 });
    fake.emit(container, "kill", { signal: "15" }, fake.nowMs() - 5_000);
    using discovery = startDiscovery(fake);
    const state = (): string | undefined => discovery.containers()[0]?.state;
    await until("it is stopping", () => state() === "stopping");
    await discovery.docker.resync();
    expect([state(), models.reads()]).toEqual(["stopping", 0]);
  });

  test.each(OFFSETS)(
    "%s: a stop lapses at the end of its time, not before",
    async (_what, offMs) => {
      const LAPSE_MS = 1_500;
      using fake = await startFake(offMs);
      using models = startModelServer("m");
      const container = fake.add({ port: models.port, stopTimeoutS: LAPSE_MS / 1000 });
      using discovery = startDiscovery(fake, { drainTimeoutMs: LAPSE_MS });
      await untilKind(discovery, "live");
      fake.kill(container);
      const killedMs = performance.now();
      await untilKind(discovery, "draining");
      await untilKind(discovery, "live");
      // We know the clock only to a second, so the stop may lapse that much later.
      expect(performance.now() - killedMs).toBeWithin(LAPSE_MS - 10, LAPSE_MS + 1_400);
    },
  );

  test("asks for the last 10 minutes in the engine's time, whatever our time is", async () => {
    using fake = await startFake(-DAY_MS);
    using _discovery = startDiscovery(fake);
    await until("the stream is open", () => fake.streamCount === 1);
    const path = fake.requests.find((asked) => asked.includes("/events")) ?? "";
    const sinceS = Number(new URLSearchParams(path.split("?")[1]).get("since"));
    expect(fake.nowMs() / 1000 - sinceS).toBeWithin(598, 606);
  });

  test("after the engine's clock is set back, asks for events from a time in the engine's past", async () => {
    using fake = await startFake(0);
    using discovery = startDiscovery(fake);
    await until("it is ready", () => discovery.fleet.isReady);
    fake.emit(fake.add({ status: "exited" }), "start");
    await until("the event has come", () => discovery.received() === 1);
    fake.clockOffsetMs = -DAY_MS;
    fake.cutStreams();
    const opened = (): readonly string[] => fake.requests.filter((asked) => asked.includes("/ev"));
    await until("it is open again", () => opened().length === 2);
    const sinceS = Number(new URLSearchParams(opened()[1]!.split("?")[1]).get("since"));
    expect(sinceS).toBeLessThan(fake.nowMs() / 1000);
  });
});
