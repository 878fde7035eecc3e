/**
 * Ends a request to a backend before its answer is complete. Nothing else does. The reasons:
 * - The client hangs up: at once. That frees the GPU.
 * - The time to drain is up: at once.
 * - The container is gone. Before the answer's headers: after a short while, since the kernel would repeat
 *   a connection attempt after 1 s, and reach whatever container has the address by then. Later: when a read
 *   from the upstream has been pending for long. Time spent waiting for a slow client does not count, so
 *   nothing already received is lost.
 * - A WebSocket to it: after a moment, in which what was on its way may come.
 * - A connection can't be made. If there are no headers after a second, another connection to the same
 *   address decides. A slow first token is never given up.
 */
import type { CloseReason, Lease } from "../routing/backend.ts";
import { isReachable } from "./connections.ts";

export type AbortReason = "client gone" | "connect timed out" | CloseReason;

/** All in ms. */
export type Patience = {
  /** How long a request without an answer waits on a container that is gone. */
  readonly headersMs: number;
  /** How long a read may be pending on a container that is gone. */
  readonly readMs: number;
  /** How long a WebSocket may go on to a container that is gone. */
  readonly socketMs: number;
  /** How long to wait for headers before trying whether the backend can be reached at all. */
  readonly probeAfterMs: number;
  /** How long that try may take. */
  readonly connectMs: number;
  /** How long a 502 waits for the reason: an engine tells the end of a container later than its connections do. */
  readonly runEndMs: number;
};

export const PATIENCE: Patience = {
  headersMs: 200,
  readMs: 5_000,
  socketMs: 2_000,
  probeAfterMs: 1_000,
  connectMs: 4_000,
  runEndMs: 300,
};

/** Whose turn it is once the headers have come. */
export type Turn = "first byte" | "read" | "client";

export class UpstreamAbort {
  readonly #controller = new AbortController();
  readonly #clientSignal: AbortSignal;
  readonly #lease: Lease;
  readonly #patience: Patience;
  #waitingFor: "headers" | Turn = "headers";
  #isUpgraded = false;
  #runOver = false;
  #timer: Timer | undefined;
  readonly #probeTimer: Timer;
  #reason: AbortReason | undefined;

  constructor(clientSignal: AbortSignal, lease: Lease, patience: Patience) {
    this.#clientSignal = clientSignal;
    this.#lease = lease;
    this.#patience = patience;
    this.#probeTimer = setTimeout(() => void this.#probe(), patience.probeAfterMs);
    clientSignal.addEventListener("abort", this.#onClientGone);
    if (clientSignal.aborted) this.#onClientGone();
    lease.onClose((reason) => {
      if (reason === "cut") return this.#abort("cut");
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

  /**
   * Called when the headers have come, and whenever it is another's turn. Before the first byte no more is lost
   * than before the headers.
   */
  waitFor(what: Turn): void {
    clearTimeout(this.#probeTimer);
    this.#waitingFor = what;
    this.#arm();
  }

  /** It is a WebSocket now: its client's end is told by the socket, not by the request. */
  upgraded(): void {
    this.#clientSignal.removeEventListener("abort", this.#onClientGone);
    this.#lease.onTimeUp(() => this.#abort("cut"));
    clearTimeout(this.#probeTimer);
    this.#isUpgraded = true;
    this.#arm();
  }

  cut(): void {
    this.#abort("cut");
  }

  clientGone(): void {
    this.#abort("client gone");
  }

  /** Ends the upstream request, whose answer is not wanted. Gives no reason. */
  abandon(): void {
    this.#controller.abort();
  }

  /** Called when the request is over: nothing ends it any more. */
  release(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#probeTimer);
    this.#clientSignal.removeEventListener("abort", this.#onClientGone);
  }

  readonly #onClientGone = (): void => this.clientGone();

  #abort(reason: AbortReason): void {
    this.#reason ??= reason;
    this.#controller.abort();
  }

  #arm(): void {
    if (!this.#runOver) return;
    if (this.#isUpgraded && this.#timer !== undefined) return;
    clearTimeout(this.#timer);
    if (this.#waitingFor === "client" && !this.#isUpgraded) return;
    this.#timer = setTimeout(() => this.#abort("run-over"), this.#runOverMs);
  }

  /** How long the container may be gone. */
  get #runOverMs(): number {
    const { headersMs, readMs, socketMs } = this.#patience;
    if (this.#isUpgraded) return socketMs;
    return this.#waitingFor === "read" ? readMs : headersMs;
  }

  async #probe(): Promise<void> {
    const reachable = await isReachable(this.#lease.backend, this.#patience.connectMs);
    if (!reachable && this.#waitingFor === "headers") this.#abort("connect timed out");
  }
}
