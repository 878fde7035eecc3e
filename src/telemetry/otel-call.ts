/**
 * Reports one request to a backend: a CLIENT span until the last byte of the answer, and metrics.
 * otel-request.ts reports the client's request, otel-websocket.ts a WebSocket after its handshake.
 */
import {
  type Attributes,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapSetter,
  trace,
} from "@opentelemetry/api";
import { BROKEN_OFF, failureOf, wordOfBreak, wordsOfBreak } from "./call-errors.ts";
import { reportWebSocket } from "./otel-websocket.ts";
import {
  type CallOwner,
  PROPAGATOR,
  type ReportEnd,
  SEEN,
  SWITCHING_PROTOCOLS,
} from "./reporting.ts";
import { reasonOf } from "./run-end.ts";
import type {
  CallEnd,
  CallReport,
  ReportedBackend,
  ReportedEnding,
  RouteReason,
  SocketEnd,
} from "./telemetry.ts";
import { UsageReader } from "./usage.ts";

const SETTER: TextMapSetter<Headers> = { set: (headers, name, value) => headers.set(name, value) };

/** A span attribute: why the proxy chose this replica. Only for models with replicas. */
export const ROUTE_REASON = "proxy.route.reason";

export class OtelCallReport implements CallReport {
  readonly #request: CallOwner;
  readonly #span: Span | undefined;
  /** Read once at the start: the model may leave the routing table meanwhile. */
  readonly #label: string;
  readonly #startMs = performance.now();
  readonly #ending: ReportedEnding | undefined;
  #genAi: Attributes | undefined;
  #status: number | undefined;
  #isStream = false;
  #lastPieceMs: number | undefined;
  #firstPieceS: number | undefined;
  #usage: UsageReader | undefined;
  #open = true;
  /** It sees each piece directly. */
  readonly keepsPieces = false;

  /** @param reason why the proxy chose this replica; undefined if the backend is not a replica */
  constructor(
    request: CallOwner,
    backend: ReportedBackend,
    resends: number,
    reason: RouteReason | undefined,
  ) {
    this.#request = request;
    this.#label = request.label;
    this.#ending = backend.ending;
    const { instruments, tracer } = request.reporting;
    instruments.inflight.add(1, { model: this.#label });
    const { operation, provider, name } = request.route;
    if (operation !== undefined) {
      this.#genAi = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": this.#label,
      };
    }
    if (tracer === undefined) return;
    const spanName =
      operation === undefined || request.model === undefined
        ? `${request.method} ${name}`
        : `${operation} ${request.model}`;
    this.#span = tracer.startSpan(
      spanName,
      { kind: SpanKind.CLIENT, attributes: attributesOf(request, backend, resends) },
      request.context,
    );
    if (reason !== undefined) this.#span.setAttribute(ROUTE_REASON, reason);
  }

  trace(headers: Headers): void {
    if (this.#span === undefined) return;
    headers.delete("tracestate"); // it comes from the client and must not stay if the client's traceparent was invalid
    PROPAGATOR.inject(trace.setSpan(this.#request.context, this.#span), headers, SETTER);
  }

  answered(upstream: Response): ((piece: Uint8Array) => void) | undefined {
    this.#status = upstream.status;
    const type = upstream.headers.get("content-type") ?? "";
    this.#isStream = /^text\/event-stream\b/i.test(type);
    if (this.#genAi === undefined || !upstream.ok) return undefined;
    const isReadable = this.#isStream || /\bjson\b/i.test(type);
    if (isReadable && !upstream.headers.has("content-encoding")) {
      const keepsHead = this.#request.route.provider === "anthropic";
      this.#usage = new UsageReader(this.#isStream, keepsHead);
    }
    const usage = this.#usage;
    if (!this.#isStream) return usage && ((piece) => usage.push(piece));
    return (piece) => {
      this.#chunk(performance.now());
      usage?.push(piece);
    };
  }

  began(): void {
    // This report sees the first piece itself.
  }

  ended(end: CallEnd, abortReason: string | undefined): void {
    if (!this.#open) return;
    const breakWord = wordOfBreak(end, abortReason);
    const usage = breakWord === undefined ? this.#tokens() : {};
    const outcome =
      breakWord === undefined
        ? { status: this.#status, errorType: this.#statusError(500) }
        : this.#broken(breakWord, end, abortReason);
    this.#end(
      breakWord === undefined ? { ...outcome, errorType: this.#statusError(400) } : outcome,
      usage,
    );
    this.#request.end(outcome, this.#isStream, usage);
  }

  upgraded(): (end: SocketEnd, abortReason: string | undefined) => void {
    if (!this.#open) return () => undefined;
    this.#open = false;
    const span = this.#span;
    const handshake = { status: SWITCHING_PROTOCOLS, errorType: undefined };
    if (span !== undefined) this.#endSpan(span, handshake, {});
    const [request, label, ending] = [this.#request, this.#label, this.#ending];
    return reportWebSocket({ request, label, ending });
  }

  failed(error: unknown, abortReason: string | undefined): void {
    if (!this.#open) return;
    const failure = {
      status: this.#status,
      ...failureOf(error, abortReason),
      ...reasonOf(this.#ending, error, abortReason),
    };
    this.#request.callFailed(failure);
    this.#end(failure, {});
  }

  #chunk(nowMs: number): void {
    const { instruments } = this.#request.reporting;
    if (this.#lastPieceMs === undefined) {
      this.#firstPieceS = (nowMs - this.#startMs) / 1000;
      instruments.firstChunk.record(this.#firstPieceS, this.#genAi);
    } else {
      instruments.perChunk.record((nowMs - this.#lastPieceMs) / 1000, this.#genAi);
    }
    this.#lastPieceMs = nowMs;
  }

  /** Records the tokens that the answer reports. */
  #tokens(): Attributes {
    const { input, output } = this.#usage?.usage ?? {};
    const { tokens } = this.#request.reporting.instruments;
    if (input !== undefined) tokens.record(input, { ...this.#genAi, "gen_ai.token.type": "input" });
    if (output !== undefined) {
      tokens.record(output, { ...this.#genAi, "gen_ai.token.type": "output" });
    }
    return {
      ...(input !== undefined && { "gen_ai.usage.input_tokens": input }),
      ...(output !== undefined && { "gen_ai.usage.output_tokens": output }),
    };
  }

  #statusError(from: number): string | undefined {
    const status = this.#status ?? 0;
    return status >= from ? String(status) : undefined;
  }

  #broken(word: string, { bytes, error }: CallEnd, abortReason: string | undefined): ReportEnd {
    const ms = Math.round(performance.now() - this.#startMs);
    const reason = wordsOfBreak(error, abortReason);
    this.#request.addEvent(word, { bytes, ms, reason });
    const progress = `after ${bytes} bytes and ${ms} ms`;
    return {
      ...{ status: this.#status, errorType: word, progress, message: `${progress}: ${reason}` },
      ...(word === BROKEN_OFF && reasonOf(this.#ending, error, abortReason)),
    };
  }

  #end(outcome: ReportEnd, more: Attributes): void {
    this.#open = false;
    const { instruments, late } = this.#request.reporting;
    instruments.inflight.add(-1, { model: this.#label });
    const span = this.#span;
    if (span !== undefined) late.whenExplained(outcome, (end) => this.#endSpan(span, end, more));
  }

  #endSpan(
    span: Span,
    { status, errorType, seen, message, atMs }: ReportEnd,
    more: Attributes,
  ): void {
    const attributes = {
      ...more,
      ...(status !== undefined && { "http.response.status_code": status }),
      ...(errorType !== undefined && { "error.type": errorType }),
      ...(seen !== undefined && { [SEEN]: seen }),
      ...(this.#firstPieceS !== undefined && {
        "gen_ai.response.time_to_first_chunk": this.#firstPieceS,
      }),
    };
    span.setAttributes(attributes);
    if (errorType !== undefined) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: message ?? "" });
    }
    span.end(atMs);
  }
}

function attributesOf(
  { method, route, model }: CallOwner,
  { name, origin, basePath }: ReportedBackend,
  resends: number,
): Attributes {
  const [, address, port] = /^https?:\/\/\[?(.*?)\]?(?::(\d+))?$/.exec(origin) ?? [];
  const { operation, provider } = route;
  return {
    "http.request.method": method,
    backend_url: `${origin}${basePath}`,
    "container.name": name,
    ...(address !== undefined && { "server.address": address }),
    ...(port !== undefined && { "server.port": Number(port) }),
    ...(resends > 0 && { "http.request.resend_count": resends }),
    ...(model !== undefined && { "gen_ai.request.model": model }),
    ...(operation !== undefined && {
      "gen_ai.operation.name": operation,
      "gen_ai.provider.name": provider,
    }),
  };
}
