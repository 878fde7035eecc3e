import { describe, expect, test } from "bun:test";
import { Engine } from "../../../src/engine/engine.ts";
import type { EngineEvent } from "../../../src/engine/events.ts";
import { EngineConnection } from "../../../src/sources/docker/connection.ts";
import { follow } from "../../../src/sources/docker/follow.ts";
import { BugReport } from "../../../src/telemetry/bug-report.ts";
import { FakeEngine } from "../../support/engine/fake.ts";
import { startDiscovery, startModelServer, untilKind } from "../../support/proxy/discovery.ts";
import { memoryLog } from "../../support/proxy/memory-log.ts";
import { until } from "../../support/until.ts";

const PIECE = "x".repeat(1024 * 1024);

describe("follow(), when a line is too long", () => {
  test("continues with the same stream, sees the next event at once, and warns once", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    const opened = (): number => fake.requests.filter((path) => path.includes("/events")).length;
    for (let n = 0; n < 3; n += 1) {
      fake.emitLine(
        JSON.stringify({ Type: "container", Action: "start", filler: PIECE.repeat(5) }),
      );
    }
    fake.kill(container);
    await untilKind(discovery, "draining");
    expect([opened(), discovery.log.count("4 MiB")]).toEqual([1, 1]);
    fake.cutStreams(); // and the new stream replays everything
    fake.emit(fake.add({ status: "exited" }), "start");
    await until("the event came again", () => opened() === 2 && discovery.received() >= 3);
    expect(discovery.log.lines.filter(({ message }) => message === "event skipped")).toMatchObject([
      { level: "warn" },
    ]);
  });
});

describe("A bug in the proxy", () => {
  function rig(
    fake: FakeEngine,
    bugs: {
      readonly onEvent?: (event: EngineEvent) => void;
      readonly onStreamOpen?: () => void;
    },
  ) {
    const log = memoryLog();
    const stopping = new AbortController();
    const seen: EngineEvent[] = [];
    let resyncs = 0;
    void follow({
      engine: new Engine({ kind: "unix", path: fake.socketPath }),
      source: {
        onStreamOpen: () => bugs.onStreamOpen?.(),
        onEvent: (event) => {
          seen.push(event);
          bugs.onEvent?.(event);
        },
        resync: async () => {
          resyncs += 1;
        },
        isUnanswered: false,
      },
      connection: new EngineConnection(),
      log,
      signal: stopping.signal,
      times: { resyncMs: 3_600_000 },
    });
    return {
      log,
      seen,
      resyncs: () => resyncs,
      [Symbol.dispose]: () => stopping.abort(),
    };
  }

  test("caused by an event: logs the stack, counts the event as seen, and looks at all containers", async () => {
    using fake = await new FakeEngine().start();
    using watching = rig(fake, {
      onEvent: ({ kind }) => {
        if (kind === "kill") throw new TypeError("undefined is not a function");
      },
    });
    await until("the stream is open", () => fake.streamCount === 1);
    const container = fake.add();
    for (let n = 0; n < 20; n += 1) fake.kill(container);
    fake.exit(container);
    await until("the next event is seen", () => watching.seen.at(-1)?.kind === "run over");
    await until("it looks at all containers", () => watching.resyncs() === 1);
    const errors = watching.log.lines.filter(({ level }) => level === "error");
    expect(errors).toMatchObject([
      {
        message: "internal error",
        reason: "TypeError: undefined is not a function",
        stack: expect.stringContaining("bugs.test.ts"),
      },
    ]);
    expect([fake.streamCount, watching.seen.length, watching.resyncs()]).toEqual([1, 21, 1]);
    expect(fake.requests.filter((path) => path.includes("/events"))).toHaveLength(1);
  });

  test("caused by the opening of a stream is not reported as a failure of the engine", async () => {
    using fake = await new FakeEngine().start();
    using watching = rig(fake, {
      onStreamOpen: () => {
        throw new RangeError("a bug");
      },
    });
    await until("it looks at all containers", () => watching.resyncs() === 1);
    fake.kill(fake.add());
    await until("events are seen", () => watching.seen.length === 1);
    expect([
      watching.log.count("RangeError: a bug"),
      watching.log.count("engine unreachable"),
    ]).toEqual([1, 0]);
  });

  test("in a look at a container: is logged, stops nothing, and is not retried in a hurry", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port, status: "exited" });
    let isBroken = false;
    using discovery = startDiscovery(fake, {
      engine: {
        clock: {
          nowMs: () => {
            if (isBroken) throw new TypeError("a bug");
            return Date.now();
          },
        },
      },
    });
    await until("it is ready", () => discovery.fleet.isReady);
    isBroken = true;
    container.status = "running";
    const looks = (): number => fake.requests.filter((path) => path.includes(container.id)).length;
    const before = looks();
    await discovery.docker.resync();
    expect(discovery.log.count("TypeError: a bug")).toBe(1);
    expect(looks() - before).toBe(1);
    isBroken = false;
    fake.setHealth(container, "healthy");
    await untilKind(discovery, "live");
  });

  test("in a pass over all containers: is logged, and the next pass runs", async () => {
    using fake = await new FakeEngine().start();
    let isBroken = true;
    using discovery = startDiscovery(fake, {
      engine: {
        list: async () => {
          if (isBroken) throw new TypeError("a bug");
          return [];
        },
        inspect: async () => undefined,
      },
    });
    await until("it is reported", () => discovery.log.count("TypeError: a bug") === 1);
    isBroken = false;
    await discovery.docker.resync();
    await until("it is ready", () => discovery.fleet.isReady);
  });
});

describe("BugReport", () => {
  test("logs the same bug once a minute, whatever its message is, and other bugs too", () => {
    const log = memoryLog();
    const bugs = new BugReport(log);
    for (let n = 0; n < 100; n += 1) bugs.tell("while it tried", new Error(`message ${n}`), n);
    expect(log.lines).toHaveLength(1);
    bugs.tell("while it did something else", new Error("x"), 100);
    expect(log.lines).toHaveLength(2);
    for (const nowMs of [60_001, 60_002]) bugs.tell("while it tried", sameError(), nowMs);
    for (const nowMs of [120_000, 120_002]) bugs.tell("while it tried", sameError(), nowMs);
    expect(log.lines).toHaveLength(4);
  });
});

function sameError(): Error {
  const error = new Error("x");
  error.stack = "Error: x\n    at somewhere";
  return error;
}
