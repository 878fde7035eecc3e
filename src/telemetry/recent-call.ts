/**
 * Counts one request to a backend for the recent figures, and passes all calls on to the telemetry report.
 * Does not see the pieces of an answer as they pass.
 */
import { BROKEN_OFF, failureOf, wordOfBreak } from "./call-errors.ts";
import type { Ended, RecentCounts } from "./recent-counts.ts";
import { stepOf } from "./recent-figures.ts";
import { routeOf } from "./routes.ts";
import type { CallEnd, CallReport, ReportedBackend, SocketEnd } from "./telemetry.ts";
import { usageOfLast } from "./usage.ts";

/** The counters to update. */
export type Counting = {
  readonly now: () => number;
  /** Counts all requests. */
  readonly all: RecentCounts;
  /** @returns undefined if there is no room for another model */
  readonly ofModel: (id: string) => RecentCounts | undefined;
  readonly ofBackend: (backend: ReportedBackend) => RecentCounts | undefined;
  readonly codeOf: (error: string) => number;
  /** A backend begins to work on a request for the model. Each call needs one call of `over`. */
  readonly began: (model: string) => void;
  readonly over: (model: string) => void;
};

/** The request that a call serves. */
export type CallOwner = {
  readonly counting: Counting;
  readonly method: string;
  readonly path: string;
  /** The id under which servers list its model; undefined if no server lists it. */
  readonly modelId: string | undefined;
  /** @param word the error word; undefined without an error or a word */
  readonly outcome: (
    status: number | undefined,
    word: string | undefined,
  ) => Pick<Ended, "status" | "failed" | "error">;
  /** The last call has ended, or the proxy has answered itself. Only the first call of this function counts. */
  readonly end: (end: Ended, nowMs: number) => void;
};

/** The status for a client that left before its answer began. */
const NO_ANSWER = 499;
/** See `wordOfBreak`: not an error of the proxy or of the server. */
export const CLIENT_GONE = "client_gone";
const SWITCHING_PROTOCOLS = 101;

export const NOTHING_COUNTED = { pieces: 0, streamMs: 0, input: undefined, output: undefined };

export class RecentCall implements CallReport {
  readonly #request: CallOwner;
  readonly #inner: CallReport;
  /** The counts of the model at the beginning of the call. The request may get another model meanwhile. */
  readonly #model: RecentCounts | undefined;
  readonly #modelId: string | undefined;
  readonly #container: RecentCounts | undefined;
  readonly #startMs: number;
  #status: number | undefined;
  #upstream: Response | undefined;
  /** Set if the answer is a stream. */
  #beganMs: number | undefined;
  #isOpen = true;
  keepsPieces = false;

  constructor(
    request: CallOwner,
    backend: ReportedBackend,
    inner: CallReport,
    model: RecentCounts | undefined,
  ) {
    const { counting } = request;
    this.#request = request;
    this.#inner = inner;
    this.#model = model;
    this.#modelId = request.modelId;
    this.#container = counting.ofBackend(backend);
    this.#startMs = counting.now();
    if (this.#modelId !== undefined) counting.began(this.#modelId);
    if (model !== undefined) model.inFlight += 1;
    if (this.#container !== undefined) this.#container.inFlight += 1;
  }

  trace(headers: Headers): void {
    this.#inner.trace(headers);
  }

  answered(upstream: Response): ((piece: Uint8Array) => void) | undefined {
    const { status } = upstream;
    const { method, path } = this.#request;
    this.#status = status;
    this.#upstream = upstream;
    // Does not read headers: that would cost more than everything else here.
    this.keepsPieces = status < 300 && routeOf(path, method).operation !== undefined;
    return this.#inner.answered(upstream);
  }

  began(): void {
    this.#inner.began();
    this.#streams();
  }

  /** The answer has begun: checks whether it is a stream. */
  #streams(): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    if (upstream !== undefined && isStreamed(upstream)) this.#firstChunk();
  }

  #firstChunk(): void {
    const nowMs = this.#request.counting.now();
    this.#beganMs = nowMs;
    const step = stepOf(nowMs - this.#startMs);
    this.#request.counting.all.firstChunk(step, nowMs);
    this.#model?.firstChunk(step, nowMs);
    this.#container?.firstChunk(step, nowMs);
  }

  ended(end: CallEnd, abortReason: string | undefined): void {
    this.#inner.ended(end, abortReason);
    if (!this.#isOpen) return;
    const nowMs = this.#request.counting.now();
    this.#endAll(this.#countedOf(end, wordOfBreak(end, abortReason), nowMs), nowMs);
  }

  upgraded(): (end: SocketEnd, abortReason: string | undefined) => void {
    const inner = this.#inner.upgraded();
    return (end, abortReason) => {
      inner(end, abortReason);
      if (!this.#isOpen) return;
      const { cancelled } = end;
      const cause = end.error ?? abortReason;
      const word = wordOfBreak({ error: cause, ...(cancelled && { cancelled }) }, abortReason);
      const outcome = this.#request.outcome(SWITCHING_PROTOCOLS, word);
      this.#endAll({ ...NOTHING_COUNTED, ...outcome }, this.#request.counting.now());
    };
  }

  failed(error: unknown, abortReason: string | undefined): void {
    this.#inner.failed(error, abortReason);
    if (!this.#isOpen) return;
    this.#letGo();
    const { counting } = this.#request;
    // If the server answered with an error, the status is enough.
    const word =
      this.#status === undefined
        ? (failureOf(error, abortReason).errorType ?? BROKEN_OFF)
        : undefined;
    const status = word === CLIENT_GONE ? NO_ANSWER : this.#status;
    const outcome = this.#request.outcome(status, word);
    this.#container?.ended({ ...NOTHING_COUNTED, ...outcome }, counting.now());
  }

  #countedOf(end: CallEnd, word: string | undefined, nowMs: number): Ended {
    const { lastPieces } = end;
    // An event stream of known length is read as a whole, so `began` was never called.
    if (this.#upstream !== undefined && lastPieces !== undefined && isEvents(lastPieces)) {
      this.#streams();
    }
    const beganMs = this.#beganMs;
    const usage =
      word === undefined && lastPieces !== undefined
        ? usageOfLast(lastPieces, beganMs !== undefined, end.firstPiece ?? lastPieces[0])
        : undefined;
    const { status, failed, error } = this.#request.outcome(this.#status ?? NO_ANSWER, word);
    return {
      status,
      failed,
      error,
      pieces: beganMs === undefined ? 0 : Math.max(0, (end.pieces ?? 0) - 1),
      streamMs: beganMs === undefined ? 0 : nowMs - beganMs,
      input: usage?.input,
      output: usage?.output,
    };
  }

  #endAll(end: Ended, nowMs: number): void {
    this.#letGo();
    this.#request.end(end, nowMs);
    this.#container?.ended(end, nowMs);
  }

  #letGo(): void {
    this.#isOpen = false;
    this.#upstream = undefined;
    if (this.#modelId !== undefined) this.#request.counting.over(this.#modelId);
    if (this.#model !== undefined) this.#model.inFlight -= 1;
    if (this.#container !== undefined) this.#container.inFlight -= 1;
  }
}

/** Ollama's own API streams lines of JSON. */
const STREAM = /^(?:text\/event-stream|application\/x-ndjson)\b/i;

function isStreamed({ ok, headers }: Response): boolean {
  return ok && STREAM.test(headers.get("content-type") ?? "");
}

const BRACE = 0x7b;

/** Checks one byte first, to avoid reading headers: most answers are JSON objects. */
function isEvents([first]: readonly Uint8Array[]): boolean {
  return first !== undefined && first.length > 0 && first[0] !== BRACE;
}
