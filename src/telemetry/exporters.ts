/**
 * Exporters that tell CollectorHealth how each attempt ended. An error in one of them goes no further. And how
 * what is exported is put together where the SDK's own way is wrong for us.
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
 * Leaves out of a gauge what was not observed this time, such as the load of a container that is gone. Without
 * this the SDK (2.12) repeats the last value of each for good. A gauge that is sent has no temporality. Where metrics
 * are both scraped and sent, each gets once what was observed for the other since its own last time.
 *
 * @param select for all other instruments
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
