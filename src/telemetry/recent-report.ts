/**
 * Counts one client request for the recent figures, and passes all calls on to the telemetry report. It runs
 * for every request, so it must cost almost nothing. recent-call.ts counts its calls to backends.
 */
import { CLIENT_GONE, type Counting, NOTHING_COUNTED, RecentCall } from "./recent-call.ts";
import type { Ended, RecentCounts } from "./recent-counts.ts";
import type {
  CallReport,
  ReportedBackend,
  RequestReport,
  RouteReason,
  WaitOutcome,
} from "./telemetry.ts";

export class RecentRequest implements RequestReport {
  readonly counting: Counting;
  readonly method: string;
  readonly path: string;
  readonly #inner: RequestReport;
  /** The id under which servers list its model; undefined if no server lists it. */
  modelId: string | undefined;
  #model: RecentCounts | undefined;
  #isOpen = true;

  constructor(request: Request, path: string, inner: RequestReport, counting: Counting) {
    this.method = request.method;
    this.path = path;
    this.#inner = inner;
    this.counting = counting;
  }

  named(model: string, isKnown: boolean): void {
    this.modelId = isKnown ? model : undefined;
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

  /** @param word the error word; undefined without an error or a word */
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

  /** The last call has ended, or the proxy has answered itself. Only the first call of this function counts. */
  end(end: Ended, nowMs: number): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.counting.all.ended(end, nowMs);
    this.#model?.ended(end, nowMs);
  }
}
