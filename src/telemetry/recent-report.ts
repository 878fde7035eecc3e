/**
 * Reports what recent requests are counted by, and passes all on to the report that telemetry makes. On for every
 * request, so it must cost next to nothing: it sees no piece of an answer while that passes.
 */
import { BROKEN_OFF, failureOf, wordOfBreak } from "./call-errors.ts";
import type { Ended, RecentCounts } from "./recent-counts.ts";
import { routeOf } from "./routes.ts";
import type {
  CallEnd,
  CallReport,
  ReportedBackend,
  RequestReport,
  RouteReason,
  SocketEnd,
  WaitOutcome,
} from "./telemetry.ts";
import { usageOfLast } from "./usage.ts";

/** Where it is counted. */
export type Counting = {
  readonly now: () => number;
  /** All requests. */
  readonly all: RecentCounts;
  /** @returns undefined if there is no room for one more model */
  readonly ofModel: (id: string) => RecentCounts | undefined;
  readonly ofBackend: (backend: ReportedBackend) => RecentCounts | undefined;
  readonly codeOf: (error: string) => number;
};

/** A client that has left before its answer began. */
const NO_ANSWER = 499;
/** See `wordOfBreak`: no fault of ours, and none of the server's. */
const CLIENT_GONE = "client_gone";
const SWITCHING_PROTOCOLS = 101;

export class RecentRequest implements RequestReport {
  readonly counting: Counting;
  readonly method: string;
  readonly path: string;
  readonly #inner: RequestReport;
  #model: RecentCounts | undefined;
  #isOpen = true;

  constructor(request: Request, path: string, inner: RequestReport, counting: Counting) {
    this.method = request.method;
    this.path = path;
    this.#inner = inner;
    this.counting = counting;
  }

  named(model: string, isKnown: boolean): void {
    this.#model = isKnown ? this.counting.ofModel(model) : undefined;
    this.#inner.named(model, isKnown);
  }

  call(backend: ReportedBackend): CallReport {
    return new RecentCall(this, backend, this.#inner.call(backend), this.#model);
  }

  retry(reason: string): void {
    this.#inner.retry(reason);
  }

  waits(): (outcome: WaitOutcome) => void {
    return this.#inner.waits();
  }

  decided(reason: RouteReason): void {
    this.#inner.decided(reason);
  }

  failover(reason: string, from: string): void {
    this.#inner.failover(reason, from);
  }

  answered(status: number, code: string | undefined): void {
    this.#inner.answered(status, code);
    this.end({ ...NOTHING_COUNTED, ...this.outcome(status, code) }, this.counting.now());
  }

  /** @param word what went wrong, if that has a word of ours */
  outcome(
    status: number | undefined,
    word: string | undefined,
  ): Pick<Ended, "status" | "failed" | "error"> {
    const hasFailed = word !== undefined || (status !== undefined && status >= 400);
    return {
      status,
      failed: hasFailed && word !== CLIENT_GONE,
      error: word === undefined ? undefined : this.counting.codeOf(word),
    };
  }

  /** A call has ended that was the last one, or the proxy has answered. Only the first call counts. */
  end(end: Ended, nowMs: number): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.counting.all.ended(end, nowMs);
    this.#model?.ended(end, nowMs);
  }
}

const NOTHING_COUNTED = { pieces: 0, streamMs: 0, input: undefined, output: undefined };

class RecentCall implements CallReport {
  readonly #request: RecentRequest;
  readonly #inner: CallReport;
  /** Of the model at the beginning of the call: it may get another name meanwhile. */
  readonly #model: RecentCounts | undefined;
  readonly #container: RecentCounts | undefined;
  readonly #startMs: number;
  #status: number | undefined;
  #upstream: Response | undefined;
  /** Set if the answer is streamed. */
  #beganMs: number | undefined;
  #isOpen = true;
  keepsPieces = false;

  constructor(
    request: RecentRequest,
    backend: ReportedBackend,
    inner: CallReport,
    model: RecentCounts | undefined,
  ) {
    const { counting } = request;
    this.#request = request;
    this.#inner = inner;
    this.#model = model;
    this.#container = counting.ofBackend(backend);
    this.#startMs = counting.now();
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
    // Looks at no header: that costs more than all the rest.
    this.keepsPieces = status < 300 && routeOf(path, method).operation !== undefined;
    return this.#inner.answered(upstream);
  }

  began(): void {
    this.#inner.began();
    const upstream = this.#upstream;
    this.#upstream = undefined;
    if (upstream === undefined || !isStreamed(upstream)) return;
    const nowMs = this.#request.counting.now();
    this.#beganMs = nowMs;
    const ms = nowMs - this.#startMs;
    this.#request.counting.all.firstChunk(ms, nowMs);
    this.#model?.firstChunk(ms, nowMs);
    this.#container?.firstChunk(ms, nowMs);
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
    const status = this.#status;
    // Of one that has declined the status says all.
    const word =
      status === undefined ? (failureOf(error, abortReason).errorType ?? BROKEN_OFF) : undefined;
    const outcome = this.#request.outcome(status, word);
    this.#container?.ended({ ...NOTHING_COUNTED, ...outcome }, counting.now());
  }

  #countedOf(end: CallEnd, word: string | undefined, nowMs: number): Ended {
    const beganMs = this.#beganMs;
    const usage =
      word === undefined && end.lastPieces !== undefined
        ? usageOfLast(end.lastPieces, beganMs !== undefined, end.firstPiece)
        : undefined;
    return {
      ...this.#request.outcome(this.#status ?? NO_ANSWER, word),
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
    if (this.#model !== undefined) this.#model.inFlight -= 1;
    if (this.#container !== undefined) this.#container.inFlight -= 1;
  }
}

/** Ollama's own API streams lines of JSON. */
const STREAM = /^(?:text\/event-stream|application\/x-ndjson)\b/i;

function isStreamed({ ok, headers }: Response): boolean {
  return ok && STREAM.test(headers.get("content-type") ?? "");
}
