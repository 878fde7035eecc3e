/**
 * Reports one client request: a SERVER span from its first byte to the last byte of its answer or the end of
 * its WebSocket, and metrics. otel-call.ts reports its calls to backends.
 */
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from "@opentelemetry/api";
import { errorWord } from "./error-words.ts";
import { UNKNOWN } from "./label-values.ts";
import { OtelCallReport, ROUTE_REASON } from "./otel-call.ts";
import {
  type CallOwner,
  PROPAGATOR,
  type ReportEnd,
  type Reporting,
  SEEN,
  SWITCHING_PROTOCOLS,
  short,
} from "./reporting.ts";
import { type Route, routeOf } from "./routes.ts";
import { explained } from "./run-end.ts";
import type {
  CallReport,
  ReportedBackend,
  RequestReport,
  RouteReason,
  WaitOutcome,
} from "./telemetry.ts";

const GETTER: TextMapGetter<Headers> = {
  keys: (headers) => [...headers.keys()],
  get: (headers, name) => headers.get(name) ?? undefined,
};

export class OtelRequestReport implements RequestReport, CallOwner {
  readonly reporting: Reporting;
  readonly method: string;
  readonly route: Route;
  readonly context: Context;
  readonly #span: Span | undefined;
  readonly #active: Attributes;
  readonly #startMs = performance.now();
  #model: string | undefined;
  #label = UNKNOWN;
  #calls = 0;
  /** Why the proxy chose the replica for the next call. */
  #routeReason: RouteReason | undefined;
  #failovers = 0;
  /** The sum of all waits of the request. */
  #waitedS = 0;
  /** How the last wait ended; undefined if the request has not waited. */
  #waitOutcome: WaitOutcome | undefined;
  #failure: ReportEnd | undefined;
  #open = true;

  constructor(request: Request, path: string, reporting: Reporting) {
    this.reporting = reporting;
    this.method = request.method;
    this.route = routeOf(path, this.method);
    this.#active = { "http.request.method": this.method, "url.scheme": "http" };
    reporting.instruments.activeRequests.add(1, this.#active);
    const { tracer } = reporting;
    if (tracer === undefined) {
      this.context = ROOT_CONTEXT;
      return;
    }
    const parent = PROPAGATOR.extract(ROOT_CONTEXT, request.headers, GETTER);
    const attributes = this.#attributesOf(path, request.headers.get("host") ?? "");
    const name = `${this.method} ${this.route.name}`;
    this.#span = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
    this.context = trace.setSpan(parent, this.#span);
  }

  get label(): string {
    return this.#label;
  }

  get model(): string | undefined {
    return this.#model;
  }

  named(model: string, isKnown: boolean): void {
    this.#model = short(model);
    this.#label = this.reporting.labels.of(model, isKnown);
  }

  call(backend: ReportedBackend): CallReport {
    this.#calls += 1;
    this.#span?.setAttributes({
      backend_url: `${backend.origin}${backend.basePath}`,
      "container.name": backend.name,
    });
    const reason = this.#routeReason;
    this.#routeReason = undefined;
    return new OtelCallReport(this, backend, this.#calls - 1, reason);
  }

  waits(): (outcome: WaitOutcome) => void {
    const { waiting, waitDuration } = this.reporting.instruments;
    const startMs = performance.now();
    // The request may get another label meanwhile. Begin and end of the wait must count for the same label.
    const model = this.#label;
    waiting.add(1, { model });
    let isWaiting = true;
    return (outcome) => {
      if (!isWaiting) return;
      isWaiting = false;
      waiting.add(-1, { model });
      const seconds = (performance.now() - startMs) / 1000;
      waitDuration.record(seconds, { model, outcome });
      this.#waitedS += seconds;
      this.#waitOutcome = outcome;
    };
  }

  retry(reason: string): void {
    this.#span?.addEvent("retry", { reason });
  }

  decided(reason: RouteReason): void {
    this.reporting.instruments.decisions.add(1, { model: this.#label, reason });
    this.#routeReason = reason;
    this.#span?.setAttribute(ROUTE_REASON, reason);
  }

  failover(reason: string, from: string): void {
    this.#failovers += 1;
    if (this.#failovers > FAILOVERS_MAX) return;
    this.#span?.addEvent("failover", { reason, "container.name": short(from) });
  }

  answered(status: number, code: string | undefined): void {
    if (code !== undefined) {
      this.#span?.addEvent(code, this.#model === undefined ? {} : { model: this.#model });
    }
    // The reason of the last failed call says more than the proxy's own code.
    const failure = this.#failure && explained(this.#failure, this.#failure.ending?.end);
    const failed = status === 502 ? failure : undefined;
    // Without a code, a backend gave this answer before the last call failed.
    const passedOn = status >= 500 ? String(status) : undefined;
    const errorType = failed?.errorType ?? code ?? passedOn;
    const seen = failed?.seen;
    const message = failure?.message ?? code;
    this.end({ status, errorType, message, ...(seen !== undefined && { seen }) }, false);
  }

  callFailed(failure: ReportEnd): void {
    this.#failure = failure;
  }

  addEvent(name: string, attributes: Attributes): void {
    this.#span?.addEvent(name, attributes);
  }

  end(outcome: ReportEnd, streaming: boolean, more?: Attributes): void {
    if (!this.#open) return;
    this.#open = false;
    const { instruments, late } = this.reporting;
    const { status = NO_ANSWER } = outcome;
    const model = this.#label;
    instruments.activeRequests.add(-1, this.#active);
    instruments.requests.add(1, { model, status_code: status });
    this.#countError(outcome, status);
    // A WebSocket may live for hours and would make the percentiles of answers useless.
    if (status !== SWITCHING_PROTOCOLS) {
      instruments.duration.record((performance.now() - this.#startMs) / 1000, { model });
    }
    const span = this.#span;
    if (span === undefined) return;
    late.whenExplained(outcome, (end) => this.#endSpan(span, end, { streaming, ...more }));
  }

  /** Does not wait: the end of a container counts as the reason only if it is already known. */
  #countError(outcome: ReportEnd, status: number): void {
    const { errorType } = explained(outcome, outcome.ending?.end);
    const word = errorWord(errorType, status);
    if (word === undefined) return;
    this.reporting.instruments.errors.add(1, { model: this.#label, "error.type": word });
  }

  #endSpan(
    span: Span,
    { status = NO_ANSWER, errorType, seen, message, atMs }: ReportEnd,
    more: Attributes,
  ): void {
    span.setAttributes({
      "http.status_code": status,
      "http.response.status_code": status,
      ...(this.#model !== undefined && { model: this.#model, "gen_ai.request.model": this.#model }),
      ...(errorType !== undefined && { "error.type": errorType }),
      ...(seen !== undefined && { [SEEN]: seen }),
      ...(this.#waitOutcome !== undefined && {
        "proxy.wait.duration": this.#waitedS,
        "proxy.wait.outcome": this.#waitOutcome,
      }),
      ...more,
    });
    // HTTP conventions: a client error (4xx) is not an error of a SERVER span.
    const isClientsFault = status >= 400 && status < 499;
    if (errorType !== undefined && !isClientsFault) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: message ?? "" });
    }
    span.end(atMs);
  }

  #attributesOf(path: string, host: string): Attributes {
    const { name, operation, provider } = this.route;
    const [, address, port] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(host) ?? [];
    return {
      "http.method": this.method,
      "http.request.method": this.method,
      "http.route": name,
      "url.path": short(path),
      "url.scheme": "http",
      ...(address && { "server.address": short(address) }),
      ...(port !== undefined && { "server.port": Number(port) }),
      ...(operation !== undefined && {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
      }),
    };
  }
}

/** The most `failover` events of one request: there may be many replicas. */
const FAILOVERS_MAX = 32;

/** nginx's status for a client that left before its answer came. */
const NO_ANSWER = 499;
