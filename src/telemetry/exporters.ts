/**
 * Wraps exporters so that they report each attempt to CollectorHealth and never throw. Also corrects the
 * temporality of gauges, where the default of the SDK is wrong for us.
 */
import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import {
  AggregationTemporality,
  type AggregationTemporalitySelector,
  InstrumentType,
  type PushMetricExporter,
} from "@opentelemetry/sdk-metrics";
import type { SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { CollectorHealth, Signal } from "./collector-health.ts";

type Done = (result: ExportResult) => void;

export function watchSpanExporter(inner: SpanExporter, health: CollectorHealth): SpanExporter {
  return {
    export: (spans, done) => attempt("traces", health, done, (then) => inner.export(spans, then)),
    forceFlush: async () => inner.forceFlush?.(),
    shutdown: () => inner.shutdown(),
  };
}

export function watchMetricExporter(
  inner: PushMetricExporter,
  health: CollectorHealth,
): PushMetricExporter {
  return {
    export: (metrics, done) =>
      attempt("metrics", health, done, (then) => inner.export(metrics, then)),
    forceFlush: () => inner.forceFlush(),
    shutdown: () => inner.shutdown(),
    ...(inner.selectAggregation && {
      selectAggregation: inner.selectAggregation.bind(inner),
    }),
    selectAggregationTemporality: freshGauges(inner.selectAggregationTemporality?.bind(inner)),
  };
}

/**
 * Makes gauges export only the values of the last observation. Otherwise the SDK (2.12) would repeat the last
 * value forever, for example the load of a container that is gone. An exported gauge has no temporality. If
 * metrics are both scraped and sent, each reader also gets once the values observed for the other since its
 * own last read.
 *
 * @param select the temporality of all other instruments
 */
export function freshGauges(
  select: AggregationTemporalitySelector = () => AggregationTemporality.CUMULATIVE,
): AggregationTemporalitySelector {
  return (type) =>
    type === InstrumentType.OBSERVABLE_GAUGE ? AggregationTemporality.DELTA : select(type);
}

function attempt(
  signal: Signal,
  health: CollectorHealth,
  done: Done,
  send: (then: Done) => void,
): void {
  const begunMs = performance.now();
  const then = (result: ExportResult): void => {
    if (result.code === ExportResultCode.SUCCESS) health.succeeded(signal);
    else health.failed(signal, result.error ?? "no reason given", begunMs);
    done(result);
  };
  try {
    send(then);
  } catch (error) {
    then({
      code: ExportResultCode.FAILED,
      error: error instanceof Error ? error : new Error(String(error)),
    });
  }
}
