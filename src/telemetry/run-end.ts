/**
 * What the end of a server's container means for the spans of the requests that it has taken down: they wait a
 * moment until it is known, and name it. Metrics wait for nothing.
 */
import { mayHaveEnded } from "./call-errors.ts";
import { type ReportEnd, short } from "./reporting.ts";
import type { ReportedEnding, ReportedRunEnd } from "./telemetry.ts";

/** From Docker 23 on the engine tells the end of a container 75 to 150 ms after its connections have broken. */
const WAIT_MS = 300;

const ERROR_TYPES: Readonly<Record<ReportedRunEnd["kind"], string | undefined>> = {
  "out of memory": "container_oom",
  exited: "container_exit",
  killed: "container_exit",
  stopped: "container_exit",
  unknown: undefined,
};

/** What the spans of a failed call wait for, where the end of the run may be the reason. */
export function reasonOf(
  ending: ReportedEnding | undefined,
  error: unknown,
  abortReason: string | undefined,
): Pick<ReportEnd, "atMs" | "ending"> | undefined {
  if (ending === undefined || !mayHaveEnded(error, abortReason)) return undefined;
  return { ending, atMs: performance.now() };
}

/** Names the end of the run as the error. What was seen of it before goes into an attribute of our own. */
export function explained(outcome: ReportEnd, run: ReportedRunEnd | undefined): ReportEnd {
  const { errorType: seen, progress } = outcome;
  const errorType = run === undefined ? undefined : ERROR_TYPES[run.kind];
  if (run === undefined || errorType === undefined || seen === undefined) return outcome;
  const reason = short(`its container ${run.reason}`);
  const message = progress === undefined ? reason : `${progress}: ${reason}`;
  return { ...outcome, errorType, seen, message };
}

/** Spans whose end is known, and not yet the reason for it. */
export class LateSpans {
  readonly #waiting = new Set<Promise<void>>();

  /** Calls at once where there is nothing to wait for. */
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

  /** Resolves when none of those waits that wait now: after 300 ms at most. */
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
