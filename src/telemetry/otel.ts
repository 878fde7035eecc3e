/**
 * Starts and stops OpenTelemetry: traces and metrics over OTLP, metrics at /metrics. Only start.ts imports
 * it, and only if telemetry is on.
 */
import { hostname } from "node:os";
import { type DiagLogger, DiagLogLevel, diag } from "@opentelemetry/api";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import {
  MeterProvider,
  MetricReader,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { CollectorHealth } from "./collector-health.ts";
import { freshGauges, watchMetricExporter, watchSpanExporter } from "./exporters.ts";
import { createInstruments, type Observed } from "./instruments.ts";
import { LabelValues, UNKNOWN } from "./label-values.ts";
import type { Log } from "./log.ts";
import { SERIES_MAX } from "./metrics.ts";
import { OtelRequestReport } from "./otel-request.ts";
import type { Reporting } from "./reporting.ts";
import { LateSpans } from "./run-end.ts";
import type { DiagnosticsLevel, TelemetrySettings } from "./settings.ts";
import { TABLE_UPDATES, type Telemetry } from "./telemetry.ts";

export type OtelInit = Observed & {
  readonly settings: TelemetrySettings;
  readonly log: Log;
  /** The version of this program. */
  readonly version: string;
  /** The container that the proxy runs in; undefined if it does not run in a container. */
  readonly containerId: string | undefined;
};

const SCOPE = "lw-inference-proxy";
const SERVICE_NAME = "inference-proxy";
/** How long shutdown waits for queued data, ms. */
const FLUSH_MS = 5_000;
/**
 * Requests that were just cut end in the next turns of the event loop. Shutdown waits this long for their
 * reports, ms.
 */
const CUT_MS = 20;

/** Two exports at once: one that hangs and the last one. */
const METRIC_EXPORTS_MAX = 2;

type Part = { readonly shutdown: () => Promise<unknown> };

export function createOtel(init: OtelInit): Telemetry {
  const { settings, log, version } = init;
  if (settings.diagnostics !== undefined) showDiagnostics(settings.diagnostics, log);
  const health = new CollectorHealth(log);
  const resource = resourceOf(init);
  const traces = settings.traces ? createTraces(resource, settings, health) : undefined;
  const scraped = settings.scrape ? new ScrapedReader() : undefined;
  const metrics = createMetrics(resource, settings, health, scraped);
  const reporting: Reporting = {
    instruments: createInstruments(metrics.provider.getMeter(SCOPE, version), init),
    labels: new LabelValues(UNKNOWN),
    tracer: traces?.provider.getTracer(SCOPE, version),
    late: new LateSpans(),
  };
  // Prometheus sees no increase in the first value of a series. Without this the first drain would be
  // invisible.
  for (const action of TABLE_UPDATES) reporting.instruments.tableUpdates.add(0, { action });
  const parts: readonly Part[] = traces === undefined ? [metrics] : [traces, metrics];
  return {
    request: (request, path) => new OtelRequestReport(request, path, reporting),
    tableUpdated: (action) => reporting.instruments.tableUpdates.add(1, { action }),
    scrape: scraped && (() => scraped.text()),
    shutdown: () => shutDown(parts, reporting.late, log),
  };
}

function resourceOf({ version, containerId }: OtelInit): Resource {
  const own = resourceFromAttributes({
    "service.name": SERVICE_NAME,
    "service.version": version,
    "host.name": hostname(),
    ...(containerId !== undefined && { "container.id": containerId }),
  });
  // Later resources win: the operator's settings come last.
  return defaultResource()
    .merge(own)
    .merge(detectResources({ detectors: [envDetector] }));
}

/**
 * After a failed batch the SDK's processor (2.12) no longer waits for the current batch. So the limit of the
 * exporter decides how much memory a failing collector costs (30 batches by default: 200 MiB).
 */
function createTraces(
  resource: Resource,
  { spanExportsMax }: TelemetrySettings,
  health: CollectorHealth,
): Part & { readonly provider: BasicTracerProvider } {
  const exporter = watchSpanExporter(
    new OTLPTraceExporter({ concurrencyLimit: spanExportsMax }),
    health,
  );
  const provider = new BasicTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  return {
    provider,
    // The provider stops waiting when one batch fails. So we also wait for the exporter, which has all batches.
    shutdown: () => provider.shutdown().finally(() => exporter.forceFlush?.()),
  };
}

function createMetrics(
  resource: Resource,
  { metrics, exportIntervalMs, exportTimeoutMs }: TelemetrySettings,
  health: CollectorHealth,
  scraped: MetricReader | undefined,
): Part & { readonly provider: MeterProvider } {
  const readers: MetricReader[] = scraped === undefined ? [] : [scraped];
  if (metrics) {
    readers.push(
      new PeriodicExportingMetricReader({
        exporter: watchMetricExporter(
          new OTLPMetricExporter({ concurrencyLimit: METRIC_EXPORTS_MAX }),
          health,
        ),
        exportIntervalMillis: exportIntervalMs,
        exportTimeoutMillis: exportTimeoutMs,
        cardinalityLimits: { default: SERIES_MAX },
      }),
    );
  }
  const provider = new MeterProvider({ resource, readers });
  return { provider, shutdown: () => provider.shutdown() };
}

/** Collects the metrics on request. */
class ScrapedReader extends MetricReader {
  readonly #serializer = new PrometheusSerializer();

  constructor() {
    super({
      cardinalitySelector: () => SERIES_MAX,
      aggregationTemporalitySelector: freshGauges(),
    });
  }

  async text(): Promise<string> {
    const { resourceMetrics } = await this.collect();
    return this.#serializer.serialize(resourceMetrics);
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

const INCOMPLETE =
  "Some telemetry was not sent before the proxy ended. Requests were not affected.";

async function shutDown(parts: readonly Part[], late: LateSpans, log: Log): Promise<void> {
  await Bun.sleep(CUT_MS);
  const timeUp = Promise.withResolvers<"late">();
  const timer = setTimeout(() => timeUp.resolve("late"), FLUSH_MS - CUT_MS);
  const flushed = late
    .settled()
    .then(() => Promise.allSettled(parts.map((part) => part.shutdown())));
  const outcome = await Promise.race([flushed, timeUp.promise]);
  clearTimeout(timer);
  if (outcome === "late") log.warn("telemetry incomplete", { ms: FLUSH_MS, reason: INCOMPLETE });
}

/** Writes OpenTelemetry's own messages to the log. */
function showDiagnostics(level: DiagnosticsLevel, log: Log): void {
  const to =
    (write: Log["info"]) =>
    (message: string, ...rest: readonly unknown[]): void => {
      const details = rest.filter(
        (detail) => typeof detail !== "object" || detail instanceof Error,
      );
      write("opentelemetry", {
        reason: message,
        ...(details.length > 0 && { details: details.map(String) }),
      });
    };
  const logger: DiagLogger = {
    error: to(log.error),
    warn: to(log.warn),
    info: to(log.info),
    debug: to(log.debug),
    verbose: to(log.debug),
  };
  diag.setLogger(logger, { logLevel: DiagLogLevel[level], suppressOverrideMessage: true });
}
