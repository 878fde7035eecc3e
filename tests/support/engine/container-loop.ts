/** Runs one container's loop on an engine that answers as the test wants, and records the loop's reports. */
import { type Container, parseContainer } from "../../../src/engine/container.ts";
import { EngineError } from "../../../src/engine/error.ts";
import type { ContainerEvent } from "../../../src/engine/events.ts";
import type { Rank } from "../../../src/routing/run.ts";
import { ContainerLoop } from "../../../src/sources/docker/container-loop.ts";
import type { ContainerLoopInit } from "../../../src/sources/docker/container-loop-init.ts";
import { RunHistory } from "../../../src/sources/docker/run-history.ts";
import { StopNotices } from "../../../src/sources/docker/stop-notices.ts";
import type { Sighting } from "../../../src/sources/sighting.ts";
import { BugReport } from "../../../src/telemetry/bug-report.ts";
import { WarnOnce } from "../../../src/telemetry/warn-once.ts";
import { memoryLog } from "../proxy/memory-log.ts";
import { NOBODY } from "../proxy/nobody.ts";
import { readFixture } from "./replies.ts";

export const CONTAINER: Container = {
  ...parseContainer(readFixture("docker-20.10.24-healthy.json")),
  labels: { "inference.enable": "true" },
};
export const { id: ID, startedAtMs: START } = CONTAINER;

/** A container whose network another one can share. */
export const PEER: Container = {
  ...CONTAINER,
  id: "b".repeat(64),
  name: "vpn",
  startedAtMs: START - 1,
};

type Shown = Container | undefined | EngineError;

export function rig(shown: Shown = CONTAINER) {
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
    /** Each inspect waits for this. */
    gate: Promise.resolve(),
  };
  const sightings: Sighting[] = [];
  const init: ContainerLoopInit = {
    listener: {
      nextRank: () => 0,
      met: (_server, name) => void told.push(`met ${name}`),
      saw: (sighting, rank) => {
        sightings.push(sighting);
        const what = sighting.kind === "present" ? sighting.seen : sighting.kind;
        told.push(`saw ${what} ${rank}`);
      },
      over: ({ startedAtMs }, { reason }) =>
        void told.push(`over ${startedAtMs === START} ${reason}`),
      couldNotSee: (_server, reason) => void told.push(`could not see: ${reason}`),
      takesRequests: () => false,
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
  };
  const another = (): ContainerLoop => new ContainerLoop(ID, init);
  const last = (): Sighting | undefined => sightings.at(-1);
  return Object.assign(made, { loop: another(), another, last, event: eventOf });
}

export function eventOf(
  kind: ContainerEvent["kind"],
  { timeMs = START + 500, signal }: { readonly timeMs?: number; readonly signal?: number } = {},
): ContainerEvent {
  const fact = kind === "run over" ? "die" : kind === "kill" ? "kill" : undefined;
  return { kind, containerId: ID, attributes: {}, timeMs, signal, fact, exitCode: undefined };
}

export async function seen(first: Rank = 1, shown: Shown = CONTAINER) {
  const made = rig(shown);
  await made.loop.wake(first);
  made.told.length = 0;
  return made;
}
