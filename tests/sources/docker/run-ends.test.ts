import { describe, expect, test } from "bun:test";
import {
  endOf,
  type Judged,
  wasToldToStop,
  withoutNetwork,
} from "../../../src/sources/docker/run-ends.ts";
import { type Fact, type PastRun, runsIn } from "../../../src/sources/docker/run-facts.ts";
import { recordedRuns } from "../../support/replay/recorded-runs.ts";

const JUDGED: Judged = {
  stopSignal: 15,
  stopTimeoutMs: 10_000,
  signalIsHidden: false,
  exitCodeIsHidden: false,
};
const LAPSE_MS = 60_000;

function told(ended: PastRun, judged: Partial<Judged> = {}): string {
  const { kind, brief, reason } = endOf(ended, { ...JUDGED, ...judged }, LAPSE_MS);
  return `${kind}: ${brief}: ${reason}`;
}

/** A run that began at 0, with these facts. */
function run(...facts: readonly Fact[]): PastRun {
  const all = [{ what: "start", timeMs: 0 } as const, ...facts];
  return runsIn(all.toSorted((a, b) => a.timeMs - b.timeMs))[0]!;
}

const kill = (timeMs: number, signal?: number): Fact => ({ what: "kill", timeMs, signal });
const oom = (timeMs: number): Fact => ({ what: "oom", timeMs });
const die = (timeMs: number, exitCode?: number): Fact => ({ what: "die", timeMs, exitCode });
const stop = (timeMs: number): Fact => ({ what: "stop", timeMs });
const inspected = (timeMs: number, exitCode: number, outOfMemory = false): Fact => ({
  ...die(timeMs),
  inspected: { exitCode, outOfMemory },
});

const STOPPED = "stopped: was stopped: was stopped";
const KILLED = "killed: was killed: was killed";
const BY_COMMAND = `${KILLED} by docker kill or docker rm -f`;
const BY_TIMEOUT = (seconds: number): string =>
  `${KILLED} at the end of its stop timeout of ${seconds} s; give it a longer stop_grace_period`;
const BY_ANY = (seconds: number): string =>
  `${KILLED} ${seconds} s after it was told to stop, by docker stop -t, docker kill or docker rm -f`;
const BY_NOBODY = `${KILLED} (exit code 137), not by Docker: the host may have run out of memory`;
const OUT_OF_MEMORY = "out of memory: ran out of memory: ran out of memory (exit code 137)";
const CRASHED = "exited: exited with code 1: exited with code 1";

describe("endOf() of a recorded run", () => {
  test.each<[name: string, ends: readonly string[]]>([
    ["docker-20.10.24/02-stop-drain-inflight-3s", [STOPPED]],
    ["docker-20.10.24/03-stop-ignore-term-10s-kill", [BY_TIMEOUT(10)]],
    ["docker-20.10.24/03b-stop-t2-ignore-term", [BY_ANY(2)]],
    ["docker-20.10.24/03c-stop-signal-SIGINT", [STOPPED]],
    ["docker-20.10.24/03d-stop-exit143", [STOPPED]],
    ["docker-20.10.24/04-docker-kill", [BY_COMMAND]],
    ["docker-20.10.24/04b-docker-kill-s-TERM", [STOPPED]],
    ["docker-20.10.24/06-crash-exit1", [CRASHED]],
    ["docker-20.10.24/07-oom", [OUT_OF_MEMORY]],
    ["docker-20.10.24/08-docker-restart", [STOPPED]],
    ["docker-20.10.24/09-restart-policy-always-crash", [CRASHED, STOPPED]],
    ["docker-20.10.24/09b-restart-policy-crash-loop", [CRASHED, CRASHED, CRASHED, CRASHED]],
    ["docker-20.10.24/10-rm-f-running", [BY_COMMAND]],
    ["docker-20.10.24/10b-run-rm-then-stop", [STOPPED]],
    ["docker-20.10.24/21-stop-in-restart-backoff", Array.from({ length: 5 }, () => CRASHED)],
    ["docker-20.10.24/22-rm-f-during-stop", [BY_ANY(1)]],
    ["docker-20.10.24/23-stop-twice", [BY_ANY(2)]],
    ["docker-26.1.5/03-stop-ignore-term-t2", [BY_ANY(2)]],
    ["docker-26.1.5/06-crash-exit1-restart-always", [CRASHED]],
    ["docker-26.1.5/08-restart", [STOPPED, BY_COMMAND]],
    [
      "podman-4.3.1/p05-run-health-stop-rm",
      ["exited: exited with code 0: exited with code 0"], // it reports no stop
    ],
  ])("%s", async (name, ends) => {
    const runs = (await recordedRuns(name)).filter(({ endedMs }) => endedMs !== undefined);
    expect(runs.map((each) => told(each))).toEqual([...ends]);
  });
});

describe("endOf()", () => {
  test.each<[what: string, run: PastRun, expected: string]>([
    ["no event says how", run({ what: "destroy", timeMs: 9 }), "unknown: has ended: has ended"],
    ["exit code 0", run(die(9, 0)), "exited: exited with code 0: exited with code 0"],
    [
      "by a signal of its own",
      run(die(9, 139)),
      "exited: exited with code 139 (SIGSEGV): exited with code 139 (SIGSEGV)",
    ],
    [
      "by a signal from elsewhere",
      run(die(9, 143)),
      "exited: exited with code 143 (SIGTERM): exited with code 143 (SIGTERM)",
    ],
    [
      "an exit code that is no signal",
      run(die(9, 255)),
      "exited: exited with code 255: exited with code 255",
    ],
    ["stop before die, as Docker 26", run(kill(5, 15), stop(8), die(9, 0)), STOPPED],
    ["stop alone", run(stop(9)), STOPPED],
    [
      "told to stop, with another exit code",
      run(kill(5, 15), die(9, 3)),
      `${STOPPED} (exit code 3)`,
    ],
    ["after a harmless signal", run(kill(5, 1), die(9, 1)), CRASHED],
    ["long after a stop signal", run(kill(5, 15), die(70_000, 1)), CRASHED],
    ["a kill without its signal, as Podman", run(kill(5), die(9, 1)), CRASHED],
    ["137 without a known cause", run(die(9, 137)), BY_NOBODY],
    ["137 only from the inspect", run(inspected(9, 137)), BY_NOBODY],
    ["the kill comes after the end", run(inspected(9, 137), kill(10, 9)), BY_COMMAND],
    ["the exit code never comes", run(kill(5, 9), { what: "destroy", timeMs: 9 }), BY_COMMAND],
    ["docker stop -t 60", run(kill(5, 15), kill(60_000, 9), die(60_005, 137)), BY_TIMEOUT(60)],
    [
      "a survived stop signal, then docker stop",
      run(kill(0, 15), kill(25_000, 15), kill(35_000, 9), die(35_005, 137)),
      BY_TIMEOUT(10),
    ],
    [
      "the SIGKILL of a stop comes a little early",
      run(kill(0, 15), kill(9_980, 9), die(9_985, 137)),
      BY_TIMEOUT(10),
    ],
    ["143 by a stop without a reported signal", run(stop(8), die(9, 143)), STOPPED],
    ["the SIGKILL of a stop is lost", run(kill(5, 15), die(10_005, 137)), BY_TIMEOUT(10)],
    ["oom after die", run(die(9, 137), oom(40)), OUT_OF_MEMORY],
    [
      "oom without an exit code",
      run(oom(5), die(9)),
      "out of memory: ran out of memory: ran out of memory",
    ],
    ["oom while it was stopped", run(kill(4, 15), oom(5), die(9, 137)), OUT_OF_MEMORY],
    ["oom only from the inspect", run(inspected(9, 137, true)), OUT_OF_MEMORY],
    ["oom of a child long before", run(oom(5), die(70_000, 137)), BY_NOBODY],
    [
      "oom of a child long before, with the inspect",
      run(oom(5), inspected(70_000, 137, true)),
      BY_NOBODY,
    ],
    ["oom of a child, then docker kill", run(oom(5), kill(8, 9), die(9, 137)), BY_COMMAND],
    [
      "oom of a child that it needs",
      run(oom(5), die(9, 1)),
      "exited: exited with code 1: exited with code 1 after one of its processes ran out of memory",
    ],
    [
      "oom of a child, and exit code 0",
      run(inspected(9, 0, true)),
      "exited: exited with code 0: exited with code 0",
    ],
    ["the inspect overrides the event", run(die(10, 0), inspected(9, 1)), CRASHED],
  ])("%s", (_what, each, expected) => {
    expect(told(each)).toBe(expected);
  });

  test.each<[what: string, judged: Partial<Judged>, run: PastRun, expected: string]>([
    ["its own stop signal", { stopSignal: 10 }, run(kill(5, 10), die(9, 138)), STOPPED],
    ["hidden signals", { signalIsHidden: true }, run(kill(5), die(9, 0)), STOPPED],
    [
      "a hidden exit code without an inspect",
      { exitCodeIsHidden: true },
      run(die(9, 1)),
      "unknown: has ended: has ended",
    ],
    [
      "a hidden exit code, and an inspect",
      { exitCodeIsHidden: true },
      run(inspected(9, 1), die(10, 0)),
      CRASHED,
    ],
    [
      "its own stop timeout",
      { stopTimeoutMs: 2_000 },
      run(kill(0, 15), kill(2_004, 9), die(2_009, 137)),
      BY_TIMEOUT(2),
    ],
    [
      "an infinite stop timeout",
      { stopTimeoutMs: Number.POSITIVE_INFINITY },
      run(kill(0, 15), kill(2_000, 9), die(2_009, 137)),
      BY_ANY(2),
    ],
  ])("%s", (_what, judged, each, expected) => {
    expect(told(each, judged)).toBe(expected);
  });
});

test.each<[what: string, run: PastRun, expected: boolean]>([
  ["a crash", run(die(9, 1)), false],
  ["docker stop", run(kill(5, 15), die(9, 0)), true],
  ["docker kill", run(kill(5, 9), die(9, 137)), true],
  ["a stop event before die", run(stop(8), die(9, 0)), true],
  ["Podman's status", run({ what: "stopping", timeMs: 1 }, die(9, 0)), true],
  ["a stop between two runs", run(die(9, 1), stop(400)), false],
  ["a stop signal that has lapsed", run(kill(5, 15), die(70_000, 1)), false],
  ["a stop signal just now", run(kill(5, 15)), true],
])("wasToldToStop() %s: %p", (_what, each, expected) => {
  expect(wasToldToStop(each, JUDGED, LAPSE_MS)).toBe(expected);
});

test("withoutNetwork() names the container that ended", () => {
  expect(withoutNetwork().reason).toBe(
    "has lost its network: the container whose network it shares has ended",
  );
});
