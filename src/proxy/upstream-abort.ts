/**
 * Who may end a request to a backend before its answer is complete, and when:
 * - the client, at once, when it hangs up: that frees the GPU;
 * - a drain whose time is up, at once;
 * - a container that is gone: before the answer's headers after a short while (a connection still
 *   being made would be repeated by the kernel after 1 s, and reach whatever container has the
 *   address by then); later once a read from the upstream has been pending for long. Time spent
 *   waiting for a slow client does not count, so nothing already received is lost.
 */
import type { CloseReason, Lease } from "../routing/backend.ts";

export type AbortReason = "client gone" | CloseReason;

export type Patience = {
  /** How long a request without an answer waits on a container that is gone, in ms. */
  readonly headersMs: number;
  /** How long a read may be pending on a container that is gone, in ms. */
  readonly readMs: number;
};

export const PATIENCE: Patience = { headersMs: 200, readMs: 5_000 };

export class UpstreamAbort {
  readonly #controller = new AbortController();
  readonly #clientSignal: AbortSignal;
  readonly #patience: Patience;
  #waitingFor: "headers" | "read" | "client" = "headers";
  #runOver = false;
  #timer: Timer | undefined;
  #reason: AbortReason | undefined;

  constructor(clientSignal: AbortSignal, lease: Lease, patience: Patience) {
    this.#clientSignal = clientSignal;
    this.#patience = patience;
    clientSignal.addEventListener("abort", this.#onClientGone);
    if (clientSignal.aborted) this.#onClientGone();
    lease.onClose((why) => {
      if (why === "cut") return this.#abort("cut");
      this.#runOver = true;
      this.#arm();
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get reason(): AbortReason | undefined {
    return this.#reason;
  }

  waitFor(what: "read" | "client"): void {
    this.#waitingFor = what;
    this.#arm();
  }

  /** The answer is not wanted: ends the upstream request. */
  abandon(): void {
    this.#controller.abort();
  }

  /** The request is over: nothing may end it any more. */
  release(): void {
    clearTimeout(this.#timer);
    this.#clientSignal.removeEventListener("abort", this.#onClientGone);
  }

  readonly #onClientGone = (): void => this.#abort("client gone");

  #abort(reason: AbortReason): void {
    this.#reason ??= reason;
    this.#controller.abort();
  }

  #arm(): void {
    if (!this.#runOver) return;
    clearTimeout(this.#timer);
    if (this.#waitingFor === "client") return;
    const { headersMs, readMs } = this.#patience;
    const ms = this.#waitingFor === "headers" ? headersMs : readMs;
    this.#timer = setTimeout(() => this.#abort("run-over"), ms);
  }
}
