/**
 * The metrics in a scrape of the proxy: OpenTelemetry's own SDK and exporter make names, kinds and labels
 * from METRICS. Then it adds the labels that Prometheus adds.
 */
import type { Attributes, Meter, Observable } from "@opentelemetry/api";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { createInstruments, type Observed } from "../../../src/telemetry/instruments.ts";
import { METRICS } from "../../../src/telemetry/metrics.ts";
import type { KnownSeries, Series } from "./values.ts";

/** Prometheus adds these to everything that it scrapes. */
const TARGET_LABELS = ["job", "instance"];

/** Records each metric once, with all its labels. */
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
 * Reads names, kinds and labels from Prometheus' text format 0.0.4.
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

/** The instrument that the proxy creates for each metric. A fake meter records the calls. */
function instrumentKinds(): ReadonlyMap<string, Kind> {
  const kinds = new Map<string, Kind>();
  const notes = new Proxy({} as Meter, {
    get: (_meter, method: string) => (name: string) => {
      if (method.startsWith("create")) kinds.set(name, method as Kind);
      return { addCallback: () => undefined };
    },
  });
  // Nothing collects from this meter, so it observes nothing.
  createInstruments(notes, {} as Observed);
  return kinds;
}

function record(meter: Meter, name: string, kind: Kind): void {
  const metric = Object.values(METRICS).find((each) => each.name === name);
  if (metric === undefined) throw new Error(`METRICS has no metric "${name}"`);
  const attributes: Attributes = Object.fromEntries(metric.labels.map((label) => [label, "x"]));
  const instrument = meter[kind](name, metric);
  if ("add" in instrument) instrument.add(1, attributes);
  else if ("record" in instrument) instrument.record(1, attributes);
  else (instrument as Observable).addCallback((result) => result.observe(1, attributes));
}
