/**
 * Ends a request to a backend before its answer is complete. Nothing else does. The reasons:
 * - The client hangs up: at once. That frees the GPU. In its first moments a request is not watched for that, since
 *   many are over by then and `request.signal` is not cheap: it is made when somebody first asks for it, and then says
 *   what has happened before.
 * - The time to drain is up: at once.
 * - The container is gone. Before the answer's headers: after a short while, since the kernel would repeat
 *   a connection attempt after 1 s, and reach whatever container has the address by then. Later: when a read
 *   from the upstream has been pending for long. Time spent waiting for a slow client does not count, so
 *   nothing already received is lost.
 * - A WebSocket to it: after a moment, in which what was on its way may come.
 * - A connection can't be made. If there are no headers after a second, another connection to the same
 *   address decides. A slow first token is never given up. The machine of some backends may vanish while they
 *   work on it: for these another connection is made again and again.
 */
import { type QueueTimer, queueTimerOf, type Wait } from "../ground/queue-timer.ts";
import type { CloseReason, Lease } from "../routing/backend.ts";
import { tryToReach } from "./connections.ts";

export type AbortReason = "client gone" | "connect timed out" | CloseReason;

/** When it is tried whether a backend can be reached at all. All in ms. */
type Probing = {
  /** How long to wait for headers before the first try. */
  readonly probeAfterMs: number;
  /** How long a try may take. */
  readonly connectMs: number;
};

/** All in ms. */
export type Patience = Probing & {
  /** How long after its beginning a request is watched for the client's hang-up; 0: from the beginning. */
  readonly watchAfterMs: number;
  /** How long a request without an answer waits on a container that is gone. */
  readonly headersMs: number;
  /** How long a read may be pending on a container that is gone. */
  readonly readMs: number;
  /** How long a WebSocket may go on to a container that is gone. */
  readonly socketMs: number;
  /** For backends whose machine may vanish. `probeEveryMs`: from the beginning of a try to the next. */
  readonly vanishing: Probing & { readonly probeEveryMs: number };
  /** How long a 502 waits for the reason: an engine tells the end of a container later than its connections do. */
  readonly runEndMs: number;
};

export const PATIENCE: Patience = {
  watchAfterMs: 20,
  headersMs: 200,
  readMs: 5_000,
  socketMs: 2_000,
  probeAfterMs: 1_000,
  connectMs: 4_000,
  // A live machine answers a SYN in some ms. All together: 2 s after it has gone, its requests go elsewhere.
  vanishing: { probeAfterMs: 500, connectMs: 1_000, probeEveryMs: 1_000 },
  runEndMs: 300,
};

/** Whose turn it is once the headers have come. */
export type Turn = "first byte" | "read" | "client";

/**
 * Controllers that have aborted nothing, to be used again: a new one costs a small request a twentieth of its CPU time.
 * Fetch holds nothing of a signal once its answer has ended (measured, 1.4.5: 115,000 fetches with one signal).
 */
const spareControllers: AbortController[] = [];
const SPARE_MAX = 256;
/** In the place of one that was given back. Never aborted. */
const RELEASED = new AbortController();

export class UpstreamAbort {
  #controller = spareControllers.pop() ?? new AbortController();
  readonly #request: Pick<Request, "signal">;
  /** The client's, once the request is watched. */
  #clientSignal: AbortSignal | undefined;
  #onClientGone: (() => void) | undefined;
  readonly #lease: Lease;
  readonly #patience: Patience;
  #waitingFor: "headers" | Turn = "headers";
  #isUpgraded = false;
  #runOver = false;
  #timer: Timer | undefined;
  #probeTimer: Timer | undefined;
  #isProbed = true;
  /** What comes next, unless the request is over before: to be watched, or to be probed. */
  #wait: Wait | undefined;
  #waitsIn: QueueTimer | undefined;
  #reason: AbortReason | undefined;
  #isHeardByOthers = false;
  /** It has been released: what it aborted with may be another's. */
  #isOver = false;
  /** Its client matters no more. */
  #isReleased = false;

  /** @param request its signal is aborted when the client hangs up */
  constructor(request: Pick<Request, "signal">, lease: Lease, patience: Patience) {
    this.#request = request;
    this.#lease = lease;
    this.#patience = patience;
    if (patience.watchAfterMs > 0) this.#waitFor(patience.watchAfterMs);
    else this.due();
    lease.onClose((reason) => {
      if (reason === "cut") return this.#abort("cut");
      this.#runOver = true;
      this.#arm();
    });
  }

  /** Called by the timers of all requests. */
  due(): void {
    this.#wait = undefined;
    const wasWatched = this.#clientSignal !== undefined;
    this.watchClient();
    if (!this.#isProbed) return;
    if (wasWatched) return void this.#probe();
    const { probeAfterMs } = this.#lease.backend.mayVanish
      ? this.#patience.vanishing
      : this.#patience;
    this.#waitFor(Math.max(0, probeAfterMs - this.#patience.watchAfterMs));
  }

  /** Watches the request from now on, if it is not watched yet. Tells at once that the client has gone. */
  watchClient(): void {
    if (this.#clientSignal !== undefined || this.#isReleased) return;
    const { signal } = this.#request;
    this.#clientSignal = signal;
    this.#onClientGone = () => this.clientGone();
    signal.addEventListener("abort", this.#onClientGone);
    if (signal.aborted) this.clientGone();
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
    this.#stopProbing();
    this.#waitingFor = what;
    this.#arm();
  }

  /** Somebody beside fetch listens to the signal, and may go on to when the request is over. */
  isHeard(): void {
    this.#isHeardByOthers = true;
  }

  /** It is a WebSocket now: its client's end is told by the socket, not by the request. */
  upgraded(): void {
    this.#watchesNoMore();
    this.#lease.onTimeUp(() => this.#abort("cut"));
    this.#stopProbing();
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
    if (!this.#isOver) this.#controller.abort();
  }

  /** Called when the request is over: nothing ends it any more. */
  release(): void {
    clearTimeout(this.#timer);
    this.#stopProbing();
    this.#watchesNoMore();
    if (this.#wait !== undefined) this.#waitsIn?.callOff(this.#wait);
    this.#wait = undefined;
    this.#giveBack();
  }

  #giveBack(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#isHeardByOthers || this.#controller.signal.aborted) return;
    if (spareControllers.length < SPARE_MAX) spareControllers.push(this.#controller);
    this.#controller = RELEASED;
  }

  #watchesNoMore(): void {
    this.#isReleased = true;
    if (this.#onClientGone === undefined) return;
    this.#clientSignal?.removeEventListener("abort", this.#onClientGone);
  }

  #waitFor(ms: number): void {
    this.#waitsIn = queueTimerOf(ms);
    this.#wait = this.#waitsIn.add(this);
  }

  #abort(reason: AbortReason): void {
    if (this.#isOver) return;
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
    const { backend } = this.#lease;
    const { vanishing } = this.#patience;
    const { connectMs } = backend.mayVanish ? vanishing : this.#patience;
    const probeEveryMs = backend.mayVanish ? vanishing.probeEveryMs : 0;
    const { reached, beganMs } = tryToReach(backend, connectMs, probeEveryMs);
    const isReachable = await reached;
    if (!this.#isProbed) return; // there are headers, or the request is over
    if (!isReachable) return this.#abort("connect timed out");
    if (!backend.mayVanish) return;
    const nextMs = beganMs + probeEveryMs - performance.now();
    this.#probeTimer = setTimeout(() => void this.#probe(), Math.max(0, nextMs));
  }

  /** A request that is not watched yet still waits for that. */
  #stopProbing(): void {
    if (!this.#isProbed) return;
    this.#isProbed = false;
    clearTimeout(this.#probeTimer);
    this.#probeTimer = undefined;
  }
}
