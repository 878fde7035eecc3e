/** The metrics as OpenTelemetry's instruments. Their names and units are in metrics.ts. Records nothing. */
import type { Counter, Histogram, Meter, UpDownCounter } from "@opentelemetry/api";
import { METRICS } from "./metrics.ts";

export type Instruments = {
  readonly requests: Counter;
  readonly duration: Histogram;
  readonly inflight: UpDownCounter;
  readonly tableUpdates: Counter;
  readonly activeRequests: UpDownCounter;
  readonly firstChunk: Histogram;
  readonly perChunk: Histogram;
  readonly tokens: Histogram;
};

/** @param activeBackends called each time metrics are collected */
export function createInstruments(meter: Meter, activeBackends: () => number): Instruments {
  const counter = (key: keyof typeof METRICS): Counter =>
    meter.createCounter(METRICS[key].name, METRICS[key]);
  const upDownCounter = (key: keyof typeof METRICS): UpDownCounter =>
    meter.createUpDownCounter(METRICS[key].name, METRICS[key]);
  const histogram = (key: "duration" | "firstChunk" | "perChunk" | "tokens"): Histogram => {
    const { name, boundaries, ...options } = METRICS[key];
    const advice = { explicitBucketBoundaries: [...boundaries] };
    return meter.createHistogram(name, { ...options, advice });
  };
  meter
    .createObservableUpDownCounter(METRICS.backends.name, METRICS.backends)
    .addCallback((result) => result.observe(activeBackends()));
  return {
    requests: counter("requests"),
    duration: histogram("duration"),
    inflight: upDownCounter("inflight"),
    tableUpdates: counter("tableUpdates"),
    activeRequests: upDownCounter("activeRequests"),
    firstChunk: histogram("firstChunk"),
    perChunk: histogram("perChunk"),
    tokens: histogram("tokens"),
  };
}
