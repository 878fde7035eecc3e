/**
 * What a scrape of the proxy has: the names, kinds and labels that METRICS become, by OpenTelemetry's own SDK and its own
 * exporter. And what Prometheus adds.
 */
import type { Attributes, Meter, Observable } from "@opentelemetry/api";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { createInstruments, type Observed } from "../../../src/telemetry/instruments.ts";
import { METRICS } from "../../../src/telemetry/metrics.ts";
import type { KnownSeries, Series } from "./values.ts";

/** Prometheus gives them to all that it scrapes. */
const TARGET_LABELS = ["job", "instance"];

/** Each metric is recorded once, with all of its labels. */
export async function proxySeries(): Promise<KnownSeries> {
  const reader = new Reader();
  const meter = new MeterProvider({ readers: [reader] }).getMeter("test");
  for (const [name, kind] of instrumentKinds()) record(meter, name, kind);
  const { resourceMetrics } = await reader.collect();
  return readSeries(
    new PrometheusSerializer(undefined, false, undefined, true).serialize(resourceMetrics),
  );
}

/**
 * Reads Prometheus' text format 0.0.4, as far as names, kinds and labels go.
 *
 * @param more labels that the target gets
 */
export function readSeries(text: string, more: readonly string[] = []): KnownSeries {
  const series = new Map<string, Series>();
  let type = "";
  for (const line of text.split("\n")) {
    type = /^# TYPE \S+ (\w+)$/.exec(line)?.[1] ?? type;
    const [, name, labels = ""] = /^([\w:]+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (name === undefined) continue;
    const names = [...labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].map(([, label = ""]) => label);
    const all = new Set([...(series.get(name)?.labels ?? []), ...names, ...TARGET_LABELS, ...more]);
    series.set(name, { kind: type === "gauge" ? "gauge" : "counter", labels: [...all] });
  }
  return series;
}

class Reader extends MetricReader {
  protected override onForceFlush = (): Promise<void> => Promise.resolve();
  protected override onShutdown = (): Promise<void> => Promise.resolve();
}

type Kind = Extract<keyof Meter, `create${string}`>;

/** Which instrument the proxy makes of each metric: it makes them of a meter that writes down what it is asked for. */
function instrumentKinds(): ReadonlyMap<string, Kind> {
  const kinds = new Map<string, Kind>();
  const notes = new Proxy({} as Meter, {
    get: (_meter, method: string) => (name: string) => {
      if (method.startsWith("create")) kinds.set(name, method as Kind);
      return { addCallback: () => undefined };
    },
  });
  // Nothing is ever collected from that meter, so nothing is observed.
  createInstruments(notes, {} as Observed);
  return kinds;
}

function record(meter: Meter, name: string, kind: Kind): void {
  const metric = Object.values(METRICS).find((each) => each.name === name);
  if (metric === undefined) throw new Error(`METRICS does not have "${name}"`);
  const attributes: Attributes = Object.fromEntries(metric.labels.map((label) => [label, "x"]));
  const instrument = meter[kind](name, metric);
  if ("add" in instrument) instrument.add(1, attributes);
  else if ("record" in instrument) instrument.record(1, attributes);
  else (instrument as Observable).addCallback((result) => result.observe(1, attributes));
}
