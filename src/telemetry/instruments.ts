/** The metrics as OpenTelemetry's instruments. Their names and units are in metrics.ts. Records nothing. */
import type { Counter, Histogram, Meter, UpDownCounter } from "@opentelemetry/api";
import { LabelValues } from "./label-values.ts";
import { METRICS, SERIES_MAX } from "./metrics.ts";
import type { BackendLoad } from "./telemetry.ts";

export type Instruments = {
  readonly requests: Counter;
  readonly duration: Histogram;
  readonly inflight: UpDownCounter;
  readonly websockets: UpDownCounter;
  readonly decisions: Counter;
  readonly waiting: UpDownCounter;
  readonly waitDuration: Histogram;
  readonly tableUpdates: Counter;
  readonly activeRequests: UpDownCounter;
  readonly firstChunk: Histogram;
  readonly perChunk: Histogram;
  readonly tokens: Histogram;
};

/** Both are called each time metrics are collected. */
export type Observed = {
  /** How many backends take new requests now. */
  readonly activeBackends: () => number;
  /** How busy those are that share their requests, one entry for each. */
  readonly backendLoads: () => Iterable<BackendLoad>;
};

type HistogramKey = "duration" | "waitDuration" | "firstChunk" | "perChunk" | "tokens";

/** The value of `container.name` for all containers that have none of their own. */
const OTHER = "other";

export function createInstruments(
  meter: Meter,
  { activeBackends, backendLoads }: Observed,
): Instruments {
  const counter = (key: keyof typeof METRICS): Counter =>
    meter.createCounter(METRICS[key].name, METRICS[key]);
  const upDownCounter = (key: keyof typeof METRICS): UpDownCounter =>
    meter.createUpDownCounter(METRICS[key].name, METRICS[key]);
  const histogram = (key: HistogramKey): Histogram => {
    const { name, boundaries, ...options } = METRICS[key];
    const advice = { explicitBucketBoundaries: [...boundaries] };
    return meter.createHistogram(name, { ...options, advice });
  };
  meter
    .createObservableUpDownCounter(METRICS.backends.name, METRICS.backends)
    .addCallback((result) => result.observe(activeBackends()));
  // One less than there may be series: the SDK keeps the last one for what is above.
  const names = new LabelValues(OTHER, SERIES_MAX - 1);
  const [container] = METRICS.load.labels;
  meter.createObservableGauge(METRICS.load.name, METRICS.load).addCallback((result) => {
    for (const [name, load] of sumByName(backendLoads(), names)) {
      result.observe(load, { [container]: name });
    }
  });
  return {
    requests: counter("requests"),
    duration: histogram("duration"),
    inflight: upDownCounter("inflight"),
    websockets: upDownCounter("websockets"),
    decisions: counter("decisions"),
    waiting: upDownCounter("waiting"),
    waitDuration: histogram("waitDuration"),
    tableUpdates: counter("tableUpdates"),
    activeRequests: upDownCounter("activeRequests"),
    firstChunk: histogram("firstChunk"),
    perChunk: histogram("perChunk"),
    tokens: histogram("tokens"),
  };
}

/** Several may have one label: a gauge would show the last of them alone. */
function sumByName(loads: Iterable<BackendLoad>, names: LabelValues): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { name, load } of loads) {
    const label = names.of(name, true);
    sums.set(label, (sums.get(label) ?? 0) + load);
  }
  return sums;
}
