/**
 * Judges a container by its past runs: how the last run ended, how often runs have ended lately, and
 * whether it is in a crash loop. Pure. It does not write sentences: see reasons.ts.
 */
import type { Container } from "../../engine/container.ts";
import type { RunEnd } from "../../routing/run.ts";
import { endOf, type Judged, wasToldToStop } from "./run-ends.ts";
import { MEMORY_MS, type PastRun } from "./run-facts.ts";

export type Past = {
  /** How the last ended run ended. */
  readonly end: RunEnd | undefined;
  /** How long that run lasted, if we know it. */
  readonly livedMs: number | undefined;
  /** True if that run ended within the last 10 minutes. */
  readonly isRecent: boolean;
  /** True if the container was told to stop and has not started since. */
  readonly wasStopped: boolean;
  /** How often it has ended in the last 10 minutes without being told to stop. */
  readonly endCount: number;
  /**
   * True if its last 3 runs ended within 10 minutes, were not told to stop, and were never healthy, and
   * the current run has not been healthy yet.
   */
  readonly isCrashLoop: boolean;
  /** How often the engine itself has restarted it. */
  readonly restartCount: number;
};

type Given = {
  /** All known runs, oldest first. */
  readonly runs: readonly PastRun[];
  readonly nowMs: number;
  /** How long a stop signal counts. */
  readonly lapseMs: number;
};

/** The container, from the last inspect. */
type Subject = Judged &
  Pick<Container, "restartCount"> & {
    /** When its current run began; undefined if it does not run. */
    readonly runningSinceMs: number | undefined;
  };

/** How many runs in a row make a crash loop. */
const CRASHES = 3;

export function pastOf(container: Subject, { runs, nowMs, lapseMs }: Given): Past {
  const { runningSinceMs, restartCount } = container;
  const isOver = ({ endedMs }: PastRun): boolean =>
    runningSinceMs === undefined || (endedMs !== undefined && endedMs <= runningSinceMs);
  const wasTold = (run: PastRun): boolean => wasToldToStop(run, container, lapseMs);
  const ended = runs.filter(isOver);
  const [last, current] = [ended.at(-1), runs.find((run) => !isOver(run))];
  const isRecent = last !== undefined && nowMs - (last.endedMs ?? nowMs) < MEMORY_MS;
  // The engine counts its own restarts, and resets the count when a person starts the container.
  const isByHand = current !== undefined && restartCount === 0;
  const isOutOfIt =
    current === undefined ? last?.hasStopped : current.isHealthy || wasTold(current);
  return {
    end: last && endOf(last, container, lapseMs),
    livedMs: lifeOf(last),
    isRecent,
    wasStopped: last !== undefined && (last.hasStopped || wasTold(last)),
    endCount: ended.filter((run) => isWithin(run, nowMs) && !wasTold(run)).length,
    isCrashLoop: isRecent && !isOutOfIt && !isByHand && areCrashes(ended.slice(-CRASHES), wasTold),
    restartCount,
  };
}

/** No process lives for less than 1 ms: such a time means that the engine has not reported the end. */
function lifeOf({ startedMs, endedMs }: Partial<PastRun> = {}): number | undefined {
  if (startedMs === undefined || endedMs === undefined) return undefined;
  return endedMs - startedMs < 1 ? undefined : endedMs - startedMs;
}

function areCrashes(runs: readonly PastRun[], wasTold: (run: PastRun) => boolean): boolean {
  const lastMs = runs.at(-1)?.endedMs ?? Number.POSITIVE_INFINITY;
  return (
    runs.length === CRASHES &&
    runs.every(
      (run) =>
        run.startedMs !== undefined && !run.isHealthy && isWithin(run, lastMs) && !wasTold(run),
    )
  );
}

function isWithin({ endedMs }: PastRun, nowMs: number): boolean {
  return endedMs !== undefined && nowMs - endedMs < MEMORY_MS;
}
