/**
 * Adds the end of a server's container to the spans of the requests that it broke. The spans wait a moment
 * until the proxy knows how the container ended. Metrics do not wait.
 */
import { mayHaveEnded } from "./call-errors.ts";
import { type ReportEnd, short } from "./reporting.ts";
import type { ReportedEnding, ReportedRunEnd } from "./telemetry.ts";

/** Since Docker 23 the engine reports the end of a container 75 to 150 ms after its connections break. */
const WAIT_MS = 300;

const ERROR_TYPES: Readonly<Record<ReportedRunEnd["kind"], string | undefined>> = {
  "out of memory": "container_oom",
  exited: "container_exit",
  killed: "container_exit",
  stopped: "container_exit",
  unknown: undefined,
};

/** The run whose end may be the reason of a failed call. Its spans wait for this end. */
export function reasonOf(
  ending: ReportedEnding | undefined,
  error: unknown,
  abortReason: string | undefined,
): Pick<ReportEnd, "atMs" | "ending"> | undefined {
  if (ending === undefined || !mayHaveEnded(error, abortReason)) return undefined;
  return { ending, atMs: performance.now() };
}

/** Sets the end of the run as the error. The error that the proxy saw first goes into a separate attribute. */
export function explained(outcome: ReportEnd, run: ReportedRunEnd | undefined): ReportEnd {
  const { errorType: seen, progress } = outcome;
  const errorType = run === undefined ? undefined : ERROR_TYPES[run.kind];
  if (run === undefined || errorType === undefined || seen === undefined) return outcome;
  const reason = short(`its container ${run.reason}`);
  const message = progress === undefined ? reason : `${progress}: ${reason}`;
  return { ...outcome, errorType, seen, message };
}

/** Spans that have ended, but whose reason is not known yet. */
export class LateSpans {
  readonly #waiting = new Set<Promise<void>>();

  /** Calls `end` at once if there is nothing to wait for. */
  whenExplained(outcome: ReportEnd, end: (outcome: ReportEnd) => void): void {
    const { ending } = outcome;
    if (ending === undefined || ending.end !== undefined) {
      end(explained(outcome, ending?.end));
      return;
    }
    const wait = this.#wait(ending, (run) => end(explained(outcome, run)));
    this.#waiting.add(wait);
    void wait.finally(() => this.#waiting.delete(wait));
  }

  /** Resolves when all spans that wait now have ended: after at most 300 ms. */
  async settled(): Promise<void> {
    await Promise.all(this.#waiting);
  }

  async #wait(
    ending: ReportedEnding,
    end: (run: ReportedRunEnd | undefined) => void,
  ): Promise<void> {
    end(await ending.known(WAIT_MS));
  }
}
