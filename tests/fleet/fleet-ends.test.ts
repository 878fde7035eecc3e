import { describe, expect, test } from "bun:test";
import type { Lease } from "../../src/routing/backend.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import type { FakeContainer } from "../support/engine/replies.ts";
import {
  type Discovery,
  leaseOf,
  startDiscovery,
  startModelServer,
  stateOf,
  untilKind,
  untilState,
} from "../support/proxy/discovery.ts";
import { until } from "../support/until.ts";

function reasonOf(discovery: Discovery, { id }: FakeContainer): string | undefined {
  return discovery.containers().find((container) => container.id === id)?.reason;
}

function breakOffFirst(lease: Lease): void {
  lease.backend.ending.brokeOff();
  lease.end();
}

/** The visible log lines about a state: level, state and reason. */
function said(discovery: Discovery, state: string): readonly string[] {
  return discovery.log.lines
    .filter(({ level, message }) => level !== "debug" && message === `container ${state}`)
    .map(({ level, reason }) => `${level}: ${String(reason)}`);
}

describe("The end of a run", () => {
  test("is known to the open lease, and shown in the log and in the status", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port, name: "vllm" });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    const lease = leaseOf(discovery);
    const { backend } = lease;
    const known = backend.ending.known(5_000);
    container.outOfMemory = true;
    fake.emit(container, "oom");
    fake.exit(container, 137);
    expect((await known)?.reason).toBe("ran out of memory (exit code 137)");
    await until("it is logged", () => said(discovery, "stopped").length > 0);
    expect(said(discovery, "stopped")[0]).toMatch(/^info: ran out of memory \(exit code 137\)/);
    expect(reasonOf(discovery, container)).toMatch(/^ran out of memory/);
    lease.end();
  });

  test("is known at the next inspection if no event reported it", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    const lease = leaseOf(discovery);
    const { backend } = lease;
    Object.assign(container, { status: "exited", exitCode: 139 });
    await discovery.docker.resync();
    expect(backend.ending.end).toMatchObject({
      kind: "exited",
      brief: "exited with code 139 (SIGSEGV)",
    });
    expect(said(discovery, "stopped")).toEqual(["info: exited with code 139 (SIGSEGV)"]);
    lease.end();
  });

  test("is no crash if the run was told to stop; the reason has an unusual exit code", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    const lease = leaseOf(discovery);
    const { backend } = lease;
    fake.kill(container);
    await untilState(discovery, container, "stopping");
    expect(backend.ending.isStopping).toBe(true);
    fake.exit(container, 3);
    await until("it is known", () => backend.ending.end !== undefined);
    expect(backend.ending.end).toMatchObject({
      kind: "stopped",
      reason: "was stopped (exit code 3)",
    });
    lease.end();
  });

  test.each<[what: string, breakOff: (held: Lease) => void, count: number]>([
    ["while it is in flight", () => undefined, 2],
    ["that broke off just before, as since Docker 23", breakOffFirst, 2],
    ["that was answered just before", (held) => held.end(), 1],
  ])("is logged again within the minute for a request %s", async (_what, breakOff, count) => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    for (const _ of [1, 2]) {
      await untilKind(discovery, "live");
      const held = leaseOf(discovery);
      breakOff(held);
      fake.exit(container, 1, "restarting");
      await untilState(discovery, container, "restarting");
      held.end();
      fake.startAgain(container);
      await untilState(discovery, container, "starting");
      fake.setHealth(container, "healthy");
    }
    expect(said(discovery, "restarting")).toEqual(
      [
        expect.stringMatching(/^warn: exited with code 1 after/),
        expect.stringMatching(/^warn: ended 2 times in 10 min; last: exit code 1 after/),
      ].slice(0, count),
    );
  });
});

describe("A crash loop", () => {
  test("is reported after three crashes, and ends when the container is healthy", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port, name: "vllm", health: "starting" });
    using discovery = startDiscovery(fake);
    await untilState(discovery, container, "starting");
    for (const _ of [1, 2, 3]) {
      fake.exit(container, 1, "restarting");
      await untilState(discovery, container, "restarting");
      if (_ === 2) expect(reasonOf(discovery, container)).toEndWith("the engine is restarting it");
      if (_ === 3) break;
      fake.startAgain(container);
      await untilState(discovery, container, "starting");
    }
    expect(reasonOf(discovery, container)).toMatch(
      /^ended 3 times in 10 min; last: exit code 1 after [\d.]+ s; it crashes again and again, so no request waits for it; look at docker logs vllm$/,
    );
    fake.startAgain(container);
    await untilState(discovery, container, "starting");
    expect(reasonOf(discovery, container)).toContain("it crashes again and again");
    expect(said(discovery, "restarting")).toHaveLength(2); // the first crash and the loop
    fake.setHealth(container, "healthy");
    await untilState(discovery, container, "routed");
    expect(reasonOf(discovery, container)).toBe("healthy");
  });

  test("is known right after the start of the proxy, from earlier events", async () => {
    using fake = await new FakeEngine().start();
    const nowMs = fake.nowMs();
    const startedAtMs = nowMs - 1_000;
    const container = fake.add({ health: "starting", startedAtMs, restartCount: 3 });
    for (const agoMs of [40_000, 30_000, 20_000]) {
      fake.emit(container, "start", {}, nowMs - agoMs);
      fake.emit(container, "die", { exitCode: "1" }, nowMs - agoMs + 5_000);
    }
    fake.emit(container, "start", {}, nowMs - 990);
    using discovery = startDiscovery(fake);
    await until("it is seen", () => stateOf(discovery, container) === "starting");
    expect(reasonOf(discovery, container)).toContain(
      "ended 3 times in 10 min; last: exit code 1 after 5 s",
    );
    expect(reasonOf(discovery, container)).toContain("it crashes again and again");
  });
});

describe("The end of a killed run, without an earlier event that says why", () => {
  test.each<
    [how: string, end: (fake: FakeEngine, container: FakeContainer) => void, brief: string]
  >([
    [
      "is known only from an inspect",
      (fake, container) => {
        container.outOfMemory = true;
        fake.exit(container, 137);
      },
      "ran out of memory",
    ],
    [
      "is reported a moment later",
      (fake, container) => {
        fake.exit(container, 137);
        fake.emit(container, "oom");
      },
      "ran out of memory",
    ],
    ["is never explained", (fake, container) => fake.exit(container, 137), "was killed"],
  ])("%s: the waiting request gets the words", async (_how, end, brief) => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    const lease = leaseOf(discovery);
    const known = lease.backend.ending.known(10_000);
    end(fake, container);
    expect((await known)?.brief).toBe(brief);
    lease.end();
  });
});
