import { describe, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { FakeEngine } from "../../support/engine/fake.ts";
import type { FakeContainer } from "../../support/engine/replies.ts";
import {
  kindOf,
  startDiscovery,
  startModelServer,
  untilKind,
} from "../../support/proxy/discovery.ts";
import { until } from "../../support/until.ts";

const SCRIPT = fileURLToPath(import.meta.resolve("../../support/engine/crowded.ts"));
const BURST = 1_000;
const BURST_MS = 1_000;

function inspects(fake: FakeEngine, container: FakeContainer): number {
  return fake.requests.filter((path) => path.includes(container.id)).length;
}

/**
 * Spreads this many events over a second.
 *
 * @returns how many looks, 50 ms apart, are possible at one container until now or soon after
 */
async function burst(emit: (n: number) => void, count = BURST): Promise<number> {
  const beganMs = performance.now();
  for (let n = 0; n < count; n += 1) {
    emit(n);
    const aheadMs = ((n + 1) / count) * BURST_MS - (performance.now() - beganMs);
    if (aheadMs > 1) await Bun.sleep(aheadMs); // the pace under test
  }
  return (performance.now() - beganMs) / 50 + 6;
}

describe("DockerSource, at scale", () => {
  test.each<[what: string, labels: Record<string, string>]>([
    ["a container", {}],
    ["a container that is not routed", { "inference.enable": "false" }],
  ])(
    "1,000 events in a second for %s cause about twenty looks, and the last state counts",
    async (_what, labels) => {
      using fake = await new FakeEngine().start();
      using models = startModelServer("m");
      const base = { "inference.enable": "true", "inference.port": String(models.port) };
      const container = fake.add({ labels: { ...base, ...labels }, health: "starting" });
      using discovery = startDiscovery(fake, { lookPaceMs: 50 });
      await until("it is ready", () => discovery.fleet.isReady);
      const before = inspects(fake, container);
      const looksMax = await burst((n) =>
        fake.setHealth(container, n % 2 === 0 ? "unhealthy" : "healthy"),
      );
      await until("all have come", () => discovery.received() === BURST);
      if (labels["inference.enable"] === undefined) await untilKind(discovery, "live");
      await discovery.docker.resync();
      expect(inspects(fake, container) - before).toBeWithin(3, looksMax);
      expect(kindOf(discovery)).toBe(labels["inference.enable"] === undefined ? "live" : "unknown");
    },
  );

  test("a burst of ends of runs does not repeat the current look for each end", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, { lookPaceMs: 50 });
    await untilKind(discovery, "live");
    const before = inspects(fake, container);
    const looksMax = await burst(() => fake.exit(container));
    await until("all have come", () => discovery.received() === BURST);
    await discovery.docker.resync();
    expect([kindOf(discovery), discovery.table.backends.size]).toEqual(["unknown", 0]);
    expect(inspects(fake, container) - before).toBeWithin(3, looksMax);
  });

  test("slow events of a disabled container cause looks at the same pace", async () => {
    const COUNT = 50;
    using fake = await new FakeEngine().start();
    const container = fake.add({ labels: { "inference.enable": "false" } });
    using discovery = startDiscovery(fake, { lookPaceMs: 200 });
    await until("it is ready", () => discovery.fleet.isReady);
    const before = inspects(fake, container);
    const looksMax = await burst(() => fake.emit(container, "health_status: healthy"), COUNT);
    await until("all have come", () => discovery.received() === COUNT);
    expect(inspects(fake, container) - before).toBeLessThan(looksMax / 4 + 6);
  });

  test("looks at a container at once, however many events other containers have", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const noisy = fake.add({ port: 1, health: "starting" });
    const container = fake.add({ port: models.port, health: "starting" });
    using discovery = startDiscovery(fake, { lookPaceMs: 60_000 });
    await until("it is ready", () => discovery.fleet.isReady);
    for (let n = 0; n < BURST; n += 1) fake.emit(noisy, "health_status: unhealthy");
    const late = fake.add({ port: models.port });
    fake.emit(late, "health_status: healthy");
    await untilKind(discovery, "live");
    expect(inspects(fake, noisy)).toBe(1);
    expect(inspects(fake, container)).toBe(1);
  });

  test("a resync of 200 containers takes less than 100 ms of our own time", async () => {
    const COUNT = 200;
    await using engine = await startCrowdedEngine(COUNT);
    using discovery = startDiscovery(engine, { lookPaceMs: 0 });
    const { docker, table } = discovery;
    await until("all are live", () => table.models.length === COUNT, 10_000);
    const times: number[] = [];
    for (let n = 0; n < 7; n += 1) {
      Bun.gc(true); // the garbage of other tests must not count here
      const before = process.cpuUsage();
      await docker.resync();
      const { user, system } = process.cpuUsage(before);
      times.push((user + system) / 1000);
    }
    expect(table.models).toHaveLength(COUNT);
    expect(times.sort((a, b) => a - b)[3]).toBeLessThan(100);
  }, 20_000);
});

type CrowdedEngine = AsyncDisposable & { readonly socketPath: string };

async function startCrowdedEngine(count: number): Promise<CrowdedEngine> {
  const child = Bun.spawn([process.execPath, SCRIPT, String(count)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { value } = await child.stdout.getReader().read();
  return {
    socketPath: new TextDecoder().decode(value).trim(),
    [Symbol.asyncDispose]: async () => {
      await child.stdin.end();
      await child.exited;
    },
  };
}
