/**
 * Ends a request to a backend before its answer is complete. No other file does. The reasons:
 * - The client hangs up: at once, which frees the GPU. We begin to watch for this after some ms, because many requests
 *   end earlier and `request.signal` is not cheap. Bun makes it at its first use. It then also shows earlier hang-ups.
 * - The drain timeout expires: at once.
 * - The container is gone. Before the answer's headers: after a short while, because the kernel repeats a connection
 *   attempt after 1 s, and could reach another container with the same address. Later: when a read from the upstream
 *   has been pending for long. Waiting for a slow client does not count, so no received bytes are lost.
 * - The container of a WebSocket is gone: after a moment, so that messages on their way can arrive.
 * - A connection is not possible. If there are no headers after a second, the proxy tries a second connection to the
 *   same address. It never gives up on a slow first token. The machine of some backends may vanish during a request:
 *   for these it tries again and again.
 */
import { type QueueTimer, queueTimerOf, type Wait } from "../ground/queue-timer.ts";
import type { CloseReason, Lease } from "../routing/backend.ts";
import { tryToReach } from "./connections.ts";

export type AbortReason = "client gone" | "connect timed out" | CloseReason;

/** When the proxy tests whether a backend is reachable. All in ms. */
type Probing = {
  /** How long to wait for headers before the first try. */
  readonly probeAfterMs: number;
  /** How long a try may take. */
  readonly connectMs: number;
};

/** All in ms. */
export type Patience = Probing & {
  /** When we begin to watch a request for the client's hang-up, after its start; 0: at once. */
  readonly watchAfterMs: number;
  /** How long a request without headers waits after its container is gone. */
  readonly headersMs: number;
  /** How long a read may be pending after the container is gone. */
  readonly readMs: number;
  /** How long a WebSocket may last after the container is gone. */
  readonly socketMs: number;
  /** For backends whose machine may vanish. `probeEveryMs`: from the start of one try to the start of the next. */
  readonly vanishing: Probing & { readonly probeEveryMs: number };
  /** How long a 502 waits for the reason: the engine reports a container's end later than its connections break. */
  readonly runEndMs: number;
};

export const PATIENCE: Patience = {
  watchAfterMs: 20,
  headersMs: 200,
  readMs: 5_000,
  socketMs: 2_000,
  probeAfterMs: 1_000,
  connectMs: 4_000,
  // A live machine answers a SYN in some ms. So 2 s after a machine vanishes, its requests go elsewhere.
  vanishing: { probeAfterMs: 500, connectMs: 1_000, probeEveryMs: 1_000 },
  runEndMs: 300,
};

/** What we wait for once the headers have arrived. */
export type Turn = "first byte" | "read" | "client";

/**
 * Unused controllers for the next requests: a new one costs 5 % of the CPU time of a small request. Fetch keeps no
 * listener on a signal after its answer has ended (measured, 1.4.5: 115,000 fetches with one signal).
 */
const spareControllers: AbortController[] = [];
const SPARE_MAX = 256;
/** Replaces a controller that was given back. Never aborted. */
const RELEASED = new AbortController();

export class UpstreamAbort {
  #controller = spareControllers.pop() ?? new AbortController();
  readonly #request: Pick<Request, "signal">;
  /** The client's signal, once we watch the request. */
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
  /** The wait for the next step, watching or probing, unless the request ends first. */
  #wait: Wait | undefined;
  #waitsIn: QueueTimer | undefined;
  #reason: AbortReason | undefined;
  #isHeardByOthers = false;
  /** Released: the controller may belong to another request now. */
  #isOver = false;
  /** The client's hang-up does not matter any more. */
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

  /** Called by the timer that all requests share. */
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

  /** Watches the request from now on. Aborts at once if the client has gone already. */
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
   * Called when the headers have arrived, and whenever the turn changes. Until the first byte the same limit applies as
   * before the headers: no work is lost.
   */
  waitFor(what: Turn): void {
    this.#stopProbing();
    this.#waitingFor = what;
    this.#arm();
  }

  /** Other listeners than fetch use the signal, maybe after the request is over: it must not be used again. */
  isHeard(): void {
    this.#isHeardByOthers = true;
  }

  /**
   * The request is a WebSocket now: the socket reports the client's end, not the request. The request's signal fires
   * before Bun reports the client's Close frame.
   */
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

  /** Ends the upstream request, because its answer is not wanted. Sets no reason. */
  abandon(): void {
    if (!this.#isOver) this.#controller.abort();
  }

  /** Called when the request is over. Later aborts have no effect. */
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

  /** How long we wait after the container is gone. */
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
    if (!this.#isProbed) return; // the headers have arrived, or the request is over
    if (!isReachable) return this.#abort("connect timed out");
    if (!backend.mayVanish) return;
    const nextMs = beganMs + probeEveryMs - performance.now();
    this.#probeTimer = setTimeout(() => void this.#probe(), Math.max(0, nextMs));
  }

  /** Keeps the wait for watching, if the request is not watched yet. */
  #stopProbing(): void {
    if (!this.#isProbed) return;
    this.#isProbed = false;
    clearTimeout(this.#probeTimer);
    this.#probeTimer = undefined;
  }
}
