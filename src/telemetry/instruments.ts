/** Creates the OpenTelemetry instruments for the metrics of metrics.ts. Records nothing. */
import type { Counter, Histogram, Meter, ObservableGauge, UpDownCounter } from "@opentelemetry/api";
import type { ContainerStatus } from "../status.ts";
import { LabelValues } from "./label-values.ts";
import { METRICS, SERIES_MAX } from "./metrics.ts";
import { type ModelBackendCount, ModelBackends } from "./model-backends.ts";
import type { BackendLoad } from "./telemetry.ts";

export type Instruments = {
  readonly requests: Counter;
  readonly errors: Counter;
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

/** The functions that each collection of metrics calls. */
export type Observed = {
  /** How many backends take new requests now. */
  readonly activeBackends: () => number;
  /** The load of each replica. */
  readonly backendLoads: () => Iterable<BackendLoad>;
  /** One entry for each model that has a backend. */
  readonly modelBackends: () => Iterable<ModelBackendCount>;
  /** All labelled containers. */
  readonly containers: () => readonly ObservedContainer[];
  readonly isEngineConnected: () => boolean;
};

export type ObservedContainer = Pick<ContainerStatus, "name" | "state" | "crash_loop">;

type HistogramKey = "duration" | "waitDuration" | "firstChunk" | "perChunk" | "tokens";

/** The value of `container.name` for all containers without their own value. */
const OTHER = "other";

/** There are a dozen states, so all containers named `other` together have at most this many series. */
const STATES_MAX = 12;
/** One less than the limit: the SDK keeps the last series for the overflow. */
const OWN_SERIES_MAX = SERIES_MAX - 1;

export function createInstruments(meter: Meter, observed: Observed): Instruments {
  const counter = (key: keyof typeof METRICS): Counter =>
    meter.createCounter(METRICS[key].name, METRICS[key]);
  const upDownCounter = (key: keyof typeof METRICS): UpDownCounter =>
    meter.createUpDownCounter(METRICS[key].name, METRICS[key]);
  const histogram = (key: HistogramKey): Histogram => {
    const { name, boundaries, ...options } = METRICS[key];
    const advice = { explicitBucketBoundaries: [...boundaries] };
    return meter.createHistogram(name, { ...options, advice });
  };
  observe(meter, observed);
  return {
    requests: counter("requests"),
    errors: counter("errors"),
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

/** Registers callbacks for the metrics that show a current state instead of counting events. */
function observe(meter: Meter, observed: Observed): void {
  const gauge = (key: keyof typeof METRICS): ObservableGauge =>
    meter.createObservableGauge(METRICS[key].name, METRICS[key]);
  meter
    .createObservableUpDownCounter(METRICS.backends.name, METRICS.backends)
    .addCallback((result) => result.observe(observed.activeBackends()));
  gauge("engineConnected").addCallback((result) =>
    result.observe(observed.isEngineConnected() ? 1 : 0),
  );
  const [model] = METRICS.modelBackends.labels;
  const models = new ModelBackends(OWN_SERIES_MAX);
  gauge("modelBackends").addCallback((result) => {
    const counts = models.counts(observed.modelBackends(), performance.now());
    for (const [id, count] of counts) result.observe(count, { [model]: id });
  });
  const names = new LabelValues(OTHER, OWN_SERIES_MAX);
  const [container] = METRICS.load.labels;
  gauge("load").addCallback((result) => {
    for (const [name, load] of sumByName(observed.backendLoads(), names)) {
      result.observe(load, { [container]: name });
    }
  });
  observeContainers(meter, observed.containers, {
    state: gauge("containerState"),
    crashLoop: gauge("crashLoop"),
  });
}

type ContainerGauges = { readonly state: ObservableGauge; readonly crashLoop: ObservableGauge };

/** The two container gauges share one callback, because going through all containers takes a while. */
function observeContainers(
  meter: Meter,
  containers: Observed["containers"],
  gauges: ContainerGauges,
): void {
  const names = new LabelValues(OTHER, OWN_SERIES_MAX - (STATES_MAX - 1));
  const [container, stateLabel] = METRICS.containerState.labels;
  meter.addBatchObservableCallback(
    (result) => {
      for (const [name, { states, isCrashing }] of byLabel(containers(), names)) {
        result.observe(gauges.crashLoop, isCrashing ? 1 : 0, { [container]: name });
        for (const [state, count] of states) {
          result.observe(gauges.state, count, { [container]: name, [stateLabel]: state });
        }
      }
    },
    [gauges.state, gauges.crashLoop],
  );
}

type Labelled = {
  /** How many containers are in each state. */
  readonly states: ReadonlyMap<string, number>;
  /** True if one of them is in a crash loop. */
  readonly isCrashing: boolean;
};

/** Several containers may share one label: see `sumByName`. */
function byLabel(
  containers: readonly ObservedContainer[],
  names: LabelValues,
): ReadonlyMap<string, Labelled> {
  const labelled = new Map<string, Labelled>();
  for (const { name, state, crash_loop } of containers) {
    const label = names.of(name, true);
    const { states, isCrashing } = labelled.get(label) ?? { states: new Map(), isCrashing: false };
    labelled.set(label, {
      states: new Map(states).set(state, (states.get(state) ?? 0) + 1),
      isCrashing: isCrashing || crash_loop,
    });
  }
  return labelled;
}

/** Several containers may share one label. Without the sum a gauge would show only the last one. */
function sumByName(loads: Iterable<BackendLoad>, names: LabelValues): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { name, load } of loads) {
    const label = names.of(name, true);
    sums.set(label, (sums.get(label) ?? 0) + load);
  }
  return sums;
}
