/**
 * Logs errors of the proxy's own code that must not end the process, with their stack. Logs the same bug at
 * most once a minute. The caller decides how the proxy continues.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import { stackOf } from "../ground/error-stack.ts";
import type { Log } from "./log.ts";

const REPEAT_MS = 60_000;
/** How many bugs it remembers. Our code has fewer places that can fail. */
const KEPT_MAX = 100;
const STACK_LENGTH_MAX = 4_000;

/**
 * The fields of the event `internal error`.
 *
 * @param doing what the proxy was doing: `while it …`
 */
export function bugFields(
  doing: string,
  error: unknown,
): Readonly<Record<"doing" | "reason" | "stack", string>> {
  const [reason, stack] = [String(error), stackOf(error)];
  return {
    doing,
    reason: reason.slice(0, STACK_LENGTH_MAX),
    stack: stack.slice(0, STACK_LENGTH_MAX),
  };
}

export class BugReport {
  readonly #log: Log;
  readonly #saidMs = new BoundedMap<string, number>(KEPT_MAX);

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * @param doing what the proxy was doing, and the consequence of the error: `while … ; …`
   * @param nowMs from any monotonic clock
   */
  tell(doing: string, error: unknown, nowMs = performance.now()): void {
    const stack = stackOf(error);
    // The key leaves out the message, because it may differ each time.
    const key = `${doing} ${stack.split("\n").filter(isFrame).join("\n")}`;
    const isRepeated = nowMs - (this.#saidMs.get(key) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS;
    if (isRepeated) return;
    this.#saidMs.set(key, nowMs);
    this.#log.error("internal error", bugFields(doing, error));
  }

  /** Runs `act` and reports its error, if it throws. Resolves when `act` has ended in either way. */
  async guard(doing: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.tell(doing, error);
    }
  }
}

function isFrame(line: string): boolean {
  return line.trimStart().startsWith("at ");
}
