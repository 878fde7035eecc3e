/**
 * Errors of our own code, where they must not end the process: loud, with their stack, but a bug that
 * shows again and again is one line a minute.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import { stackOf } from "../ground/error-stack.ts";
import type { Log } from "./log.ts";

const REPEAT_MS = 60_000;
/** Places in our code that can fail: there are not that many. */
const KEPT_MAX = 100;
const STACK_LENGTH_MAX = 4_000;

export class BugReport {
  readonly #log: Log;
  readonly #saidMs = new BoundedMap<string, number>(KEPT_MAX);

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * @param doing what the proxy was about, and what follows: `while … ; …`
   * @param nowMs by any clock that runs on
   */
  tell(doing: string, error: unknown, nowMs = performance.now()): void {
    const stack = stackOf(error);
    // Without the message: it may be another one each time.
    const key = `${doing} ${stack.split("\n").filter(isFrame).join("\n")}`;
    const isRepeated = nowMs - (this.#saidMs.get(key) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS;
    if (isRepeated) return;
    this.#saidMs.set(key, nowMs);
    this.#log.error(`a bug in the proxy ${doing}; please report it`, {
      reason: String(error).slice(0, STACK_LENGTH_MAX),
      stack: stack.slice(0, STACK_LENGTH_MAX),
    });
  }

  /** Resolves when `act` has ended, well or not. */
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
