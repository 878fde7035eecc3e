/**
 * Watches an answer on its way to the client: which side we wait for, and how the answer ends. A class without
 * closures, because thousands may be open.
 */
import { bugFields } from "../telemetry/bug-report.ts";
import type { Log } from "../telemetry/log.ts";
import type { BodyEnd, BodyWatch } from "./answer-body.ts";
import type { BrokenAnswers } from "./broken-answers.ts";
import type { ConnectionPool } from "./connections.ts";
import type { Attempt } from "./exchange.ts";
import type { Turn } from "./upstream-abort.ts";

export type AnswerWatchInit = {
  readonly attempt: Attempt;
  /** The backend's pool. */
  readonly pool: ConnectionPool;
  readonly passing: BodyWatch["passing"];
};

/** Where the end of an answer is reported. */
type Told = { readonly log: Log; readonly brokenAnswers: BrokenAnswers };

export class AnswerWatch implements BodyWatch {
  readonly passing: BodyWatch["passing"];
  readonly keepsPieces: boolean;
  readonly #attempt: Attempt;
  readonly #pool: ConnectionPool;
  readonly #told: Told;
  readonly #beganMs = performance.now();

  constructor({ attempt, pool, passing }: AnswerWatchInit, told: Told) {
    this.#attempt = attempt;
    this.#pool = pool;
    this.#told = told;
    this.passing = passing;
    this.keepsPieces = attempt.call.keepsPieces;
  }

  waitFor(whom: Turn): void {
    this.#attempt.waitFor(whom);
  }

  began(): void {
    this.#attempt.answering();
    this.#attempt.call.began();
  }

  ended(end: BodyEnd): void {
    const { error, isBug } = end;
    const attempt = this.#attempt;
    const ending = attempt.ended(end);
    if (error === undefined) this.#pool.keep();
    if (isBug) {
      this.#told.log.error("internal error", bugFields("while it passed on an answer", error));
    } else if (ending === "broken off") this.#brokeOff(error);
  }

  #brokeOff(error: unknown): void {
    const { backend, exchange, abortReason } = this.#attempt;
    const { model } = exchange;
    const afterMs = performance.now() - this.#beganMs;
    this.#told.brokenAnswers.add(backend, { what: "answer", model, error, abortReason, afterMs });
  }
}
