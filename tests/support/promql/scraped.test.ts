import { expect, test } from "bun:test";
import { METRICS } from "../../../src/telemetry/metrics.ts";
import { proxySeries, readSeries } from "./scraped.ts";

test("proxySeries() has every metric with its scraped name and its labels", async () => {
  const series = await proxySeries();
  const own = (name: string): readonly string[] | undefined =>
    series.get(name)?.labels.filter((label) => !/^otel_|^job$|^instance$/.test(label));
  expect(own("proxy_requests_total")).toEqual(["model", "status_code"]);
  expect(own("proxy_routing_table_updates_total")).toEqual(["action"]);
  expect(own("proxy_backend_load")).toEqual(["container_name"]);
  expect(own("proxy_backends_active")).toEqual([]);
  expect(own("proxy_wait_duration_bucket")).toEqual(["model", "outcome", "le"]);
  expect(own("proxy_wait_duration_count")).toEqual(["model", "outcome"]);
  expect(series.get("proxy_wait_duration_sum")?.kind).toBe("counter");
  expect(series.get("proxy_requests_waiting")?.kind).toBe("gauge");
  for (const { name } of Object.values(METRICS)) {
    const scraped = name.replaceAll(".", "_");
    const names = [scraped, `${scraped}_total`, `${scraped}_bucket`];
    expect([name, names.filter((each) => series.has(each)).length]).toEqual([name, 1]);
  }
});

test("readSeries() merges the labels of all series with the same name, and adds the target's labels", () => {
  const text = [
    "# TYPE a gauge",
    'a{x="1",y="}\\" b 2"} 1',
    'a{z="1"} NaN',
    "# TYPE b_total counter",
    "b_total 3",
  ].join("\n");
  expect([...readSeries(text, ["more"])]).toEqual([
    ["a", { kind: "gauge", labels: ["x", "y", "job", "instance", "more", "z"] }],
    ["b_total", { kind: "counter", labels: ["job", "instance", "more"] }],
  ]);
});
