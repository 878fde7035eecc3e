/**
 * Stands in for an OpenTelemetry collector: a real HTTP server that keeps the spans and metrics that it gets.
 * It decodes them by the published definitions (otlp.proto), without any code of the exporter.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "protobufjs";

type Values = Readonly<Record<string, unknown>>;

export type ReceivedSpan = {
  readonly name: string;
  /** Without the prefix `SPAN_KIND_`. */
  readonly kind: string;
  /** In hexadecimal, like the other ids. Empty if the span has none. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  /** ms since 1970. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Values;
  readonly events: readonly { readonly name: string; readonly attributes: Values }[];
  /** Without the prefix `STATUS_CODE_`. */
  readonly status: { readonly code: string; readonly message: string };
  readonly resource: Values;
};

type ReceivedPoint = {
  readonly labels: Values;
  /** For a sum or gauge. */
  readonly value: number;
  /** For a histogram. */
  readonly count: number;
  readonly sum: number;
  readonly bounds: readonly number[];
};

export type ReceivedMetric = {
  readonly name: string;
  readonly unit: string;
  readonly temporality: string;
  readonly points: readonly ReceivedPoint[];
  readonly resource: Values;
};

export type OtlpReceiver = Disposable & {
  readonly origin: string;
  readonly port: number;
  /** In the order of arrival. */
  readonly spans: readonly ReceivedSpan[];
  /** The last state of each metric, by its name. */
  readonly metrics: ReadonlyMap<string, ReceivedMetric>;
  readonly requests: readonly { readonly path: string; readonly headers: Headers }[];
  /** Makes the answers from now on. The receiver keeps data only when it answers 200. */
  answer: () => Response | Promise<Response>;
};

const DEFINITIONS = parse(readFileSync(join(import.meta.dir, "otlp.proto"), "utf8")).root;
const TRACES = DEFINITIONS.lookupType("ExportTraceServiceRequest");
const METRICS = DEFINITIONS.lookupType("ExportMetricsServiceRequest");

export function startOtlpReceiver(): OtlpReceiver {
  const spans: ReceivedSpan[] = [];
  const metrics = new Map<string, ReceivedMetric>();
  const requests: { path: string; headers: Headers }[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      requests.push({ path: pathname, headers: request.headers });
      const bytes = await request.bytes();
      const response = await receiver.answer();
      if (response.status !== 200) return response;
      const isPacked = request.headers.get("content-encoding") === "gzip";
      const body = isPacked ? Bun.gunzipSync(bytes as Uint8Array<ArrayBuffer>) : bytes;
      if (pathname.endsWith("/v1/traces")) spans.push(...spansOf(decode(TRACES, body)));
      else for (const metric of metricsOf(decode(METRICS, body))) metrics.set(metric.name, metric);
      return response;
    },
  });
  const receiver: OtlpReceiver = {
    origin: `http://127.0.0.1:${server.port}`,
    port: server.port ?? 0,
    spans,
    metrics,
    requests,
    answer: () => new Response(null, { headers: { "content-type": "application/x-protobuf" } }),
    [Symbol.dispose]: () => void server.stop(true),
  };
  return receiver;
}

/** A message as plain values: enums by name, 64-bit numbers and bytes as text. */
// biome-ignore lint/suspicious/noExplicitAny: the definitions are read at run time
type Message = any;

function decode(type: typeof TRACES, bytes: Uint8Array): Message {
  const options = { enums: String, longs: String, bytes: String, defaults: true, arrays: true };
  return type.toObject(type.decode(bytes), options);
}

function spansOf({ resourceSpans }: Message): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }: Message) =>
    scopeSpans.flatMap(({ spans }: Message) =>
      spans.map((span: Message) => ({
        name: span.name,
        kind: span.kind.replace("SPAN_KIND_", ""),
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentSpanId: hex(span.parentSpanId),
        traceState: span.traceState,
        startMs: Number(span.startTimeUnixNano) / 1e6,
        endMs: Number(span.endTimeUnixNano) / 1e6,
        attributes: valuesOf(span.attributes),
        events: span.events.map(({ name, attributes }: Message) => ({
          name,
          attributes: valuesOf(attributes),
        })),
        status: {
          code: span.status?.code.replace("STATUS_CODE_", "") ?? "UNSET",
          message: span.status?.message ?? "",
        },
        resource: valuesOf(resource.attributes),
      })),
    ),
  );
}

function metricsOf({ resourceMetrics }: Message): ReceivedMetric[] {
  return resourceMetrics.flatMap(({ resource, scopeMetrics }: Message) =>
    scopeMetrics.flatMap(({ metrics }: Message) =>
      metrics.map((metric: Message) => {
        const data = metric.sum ?? metric.gauge ?? metric.histogram;
        return {
          name: metric.name,
          unit: metric.unit,
          temporality: data.aggregationTemporality?.replace("AGGREGATION_TEMPORALITY_", "") ?? "",
          points: data.dataPoints.map(pointOf),
          resource: valuesOf(resource.attributes),
        };
      }),
    ),
  );
}

function pointOf(point: Message): ReceivedPoint {
  return {
    labels: valuesOf(point.attributes),
    value: Number(point.asInt ?? point.asDouble ?? 0),
    count: Number(point.count ?? 0),
    sum: point.sum ?? 0,
    bounds: point.explicitBounds ?? [],
  };
}

function valuesOf(attributes: readonly Message[]): Values {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const plain = value.stringValue ?? value.boolValue ?? value.doubleValue;
      return [key, plain ?? Number(value.intValue)];
    }),
  );
}

function hex(base64: string): string {
  return Buffer.from(base64, "base64").toString("hex");
}
