import { describe, expect, test } from "bun:test";
import { type Container, parseContainer } from "../../../src/engine/container.ts";
import { EngineError } from "../../../src/engine/error.ts";
import type { ContainerEvent } from "../../../src/engine/events.ts";
import type { Rank } from "../../../src/routing/run.ts";
import { ContainerLoop } from "../../../src/sources/docker/container-loop.ts";
import { RunHistory } from "../../../src/sources/docker/run-history.ts";
import { StopNotices } from "../../../src/sources/docker/stop-notices.ts";
import { BugReport } from "../../../src/telemetry/bug-report.ts";
import { WarnOnce } from "../../../src/telemetry/warn-once.ts";
import { readFixture } from "../../support/engine/replies.ts";
import { memoryLog } from "../../support/proxy/memory-log.ts";
import { NOBODY } from "../../support/proxy/nobody.ts";
import { until } from "../../support/until.ts";

const CONTAINER: Container = {
  ...parseContainer(readFixture("docker-20.10.24-healthy.json")),
  labels: { "inference.enable": "true" },
};
const { id: ID, startedAtMs: START } = CONTAINER;

/** Whose network a container may share. */
const PEER: Container = { ...CONTAINER, id: "b".repeat(64), name: "vpn", startedAtMs: START - 1 };

type Shown = Container | undefined | EngineError;

/** One loop, an engine that shows what a test says, and what the loop has told. */
function rig(shown: Shown = CONTAINER) {
  const [told, log] = [[] as string[], memoryLog()];
  const notices = new StopNotices(60_000);
  const history = new RunHistory();
  const made = {
    told,
    log,
    notices,
    history,
    shown: shown as Shown,
    inspects: 0,
    isGone: false,
    /** Awaited by each inspect. */
    gate: Promise.resolve(),
  };
  const loop = new ContainerLoop(ID, {
    listener: {
      nextRank: () => 0,
      met: (_server, name) => void told.push(`met ${name}`),
      saw: (sighting, rank) => {
        const what = sighting.kind === "present" ? sighting.seen : sighting.kind;
        told.push(`saw ${what} ${rank}`);
      },
      over: ({ startedAtMs }, { reason }) =>
        void told.push(`over ${startedAtMs === START} ${reason}`),
      couldNotSee: (_server, reason) => void told.push(`could not see: ${reason}`),
      gone: () => void told.push("gone"),
      passed: () => true,
    },
    notices,
    history,
    warnings: new WarnOnce(log),
    log,
    bugs: new BugReport(log),
    inspect: async (id) => {
      if (id === PEER.id) return PEER;
      made.inspects += 1;
      await made.gate;
      if (made.shown instanceof EngineError) throw made.shown;
      return made.shown;
    },
    engineNowMs: () => START + 1_000,
    around: () => ({ place: { kind: "host" }, itself: NOBODY }),
    settled: async () => undefined,
    lookPaceMs: 0,
    onGone: () => {
      made.isGone = true;
    },
  });
  return Object.assign(made, { loop, event: eventOf });
}

function eventOf(
  kind: ContainerEvent["kind"],
  { timeMs = START + 500, signal }: { readonly timeMs?: number; readonly signal?: number } = {},
): ContainerEvent {
  const fact = kind === "run over" ? "die" : kind === "kill" ? "kill" : undefined;
  return { kind, containerId: ID, attributes: {}, timeMs, signal, fact, exitCode: undefined };
}

async function seen(first: Rank = 1, shown: Shown = CONTAINER) {
  const made = rig(shown);
  await made.loop.wake(first);
  made.told.length = 0;
  return made;
}

describe("ContainerLoop", () => {
  test("tells that it is there, then what a look has seen, with the rank of its wake", async () => {
    const { loop, told } = rig();
    await loop.wake(7);
    expect(told).toEqual([`met ${ID.slice(0, 12)}`, "saw routable 7"]);
  });

  test("any number of wakes during a look make one more, with the rank of the last", async () => {
    const made = rig();
    const gate = Promise.withResolvers<void>();
    made.gate = gate.promise;
    const first = made.loop.wake(1);
    await until("the look has begun", () => made.inspects === 1);
    const rest = [2, 3, 4].map((rank) => made.loop.wake(rank));
    gate.resolve();
    await Promise.all([first, ...rest]);
    expect(made.told.slice(1)).toEqual(["saw routable 1", "saw routable 4"]);
  });

  test("the end of the run that was seen is told at once, without a look; an older one is a replay", async () => {
    const made = await seen();
    made.loop.onEvent(made.event("run over", { timeMs: START - 1 }));
    expect(made.told).toEqual([]);
    made.loop.onEvent(made.event("run over"));
    made.loop.onEvent(made.event("run over")); // `die` and `stop` both come
    expect([made.told, made.inspects]).toEqual([["over true has ended"], 1]);
  });

  test("a look under way when the run ends is made again", async () => {
    const made = rig();
    const gate = Promise.withResolvers<void>();
    made.gate = gate.promise;
    const look = made.loop.wake(1);
    await until("the look has begun", () => made.inspects === 1);
    made.loop.onEvent(made.event("run over"));
    made.shown = { ...CONTAINER, status: "exited" };
    gate.resolve();
    await look;
    expect([made.told.slice(1), made.inspects]).toEqual([["saw absent 1"], 2]);
  });

  test("a stop signal is told at once as a sighting, another signal is not", async () => {
    const made = await seen();
    made.notices.record({ containerId: ID, signal: 1, timeMs: START + 500 });
    made.loop.onEvent(made.event("kill", { signal: 1 }));
    expect(made.told).toEqual([]);
    made.notices.record({ containerId: ID, signal: 15, timeMs: START + 500 });
    made.loop.onEvent(made.event("kill", { signal: 15 }));
    expect([made.told, made.inspects]).toEqual([["saw stopping 1"], 1]);
  });

  test("an inspect that fails is told once for each reason, and tried again", async () => {
    const failure = new EngineError("no answer in time", { kind: "unreachable" });
    const made = await seen(1, failure);
    expect(made.loop.hasSeen).toBe(false);
    await made.loop.wake(2);
    expect(made.told).toEqual([]);
    made.shown = CONTAINER;
    await until("it is tried again by itself", () => made.told.length > 0);
    expect([made.told, made.loop.hasSeen]).toEqual([["saw routable 2"], true]);
  });

  test("a container that is removed is told of as absent, then as gone", async () => {
    const made = await seen();
    made.shown = undefined;
    await made.loop.wake(2);
    expect([made.told, made.isGone]).toEqual([["saw absent 2", "gone"], true]);
  });

  test("the run of the container whose network it shares ends: so does its own, as far as requests go", async () => {
    const made = await seen(1, { ...CONTAINER, networkMode: `container:${PEER.id}` });
    expect(made.loop.peerId).toBe(PEER.id);
    made.loop.onPeerEvent(made.event("run over", { timeMs: PEER.startedAtMs - 1 })); // a replay
    expect(made.told).toEqual([]);
    made.loop.onPeerEvent(made.event("run over"));
    expect(made.told).toEqual(["over true has lost its network: the container vpn has ended"]);
  });
});
