/** What docs/telemetry.md says of files and answers is so. */
import { describe, expect, test } from "bun:test";
import { scrapeTargetsResponse } from "../../src/proxy/own/scrape-targets.ts";
import { METRICS } from "../../src/telemetry/metrics.ts";
import { TELEMETRY_VARIABLES } from "../../src/telemetry/settings.ts";
import { codeBlocks, readText, tableOf } from "../support/docs.ts";
import type { Dashboard } from "../support/grafana.ts";
import { resultLabels } from "../support/promql/query.ts";
import { proxySeries, readSeries } from "../support/promql/scraped.ts";

const DOCS = readText("docs/telemetry.md");

/** Rows of a table without the marks of code. */
const table = (heading: string): readonly (readonly string[])[] =>
  tableOf(DOCS, heading).map((row) => row.map((cell) => cell.replaceAll("`", "")));

test("has every variable of OpenTelemetry's with its default, and no other", () => {
  const defaults = Object.entries(TELEMETRY_VARIABLES).map(([name, variable]) => [
    name,
    variable.default || "–",
  ]);
  const rows = table("OpenTelemetry's variable").flatMap(([names = "", value]) =>
    [...names.matchAll(/OTEL_\w+/g)].map(([name]) => [name, value]),
  );
  expect(rows.toSorted()).toEqual(defaults.toSorted());
});

test("has every metric with its unit and labels, and no other", () => {
  const metrics = Object.values(METRICS).map(({ name, unit, labels }) => [
    name,
    unit,
    labels.join(", ") || "–",
  ]);
  expect(table("Metric").map((row) => row.slice(0, 3))).toEqual(metrics);
});

test("the table of rows has those of the dashboard, in their order", () => {
  const { panels } = JSON.parse(readText("deploy/grafana/dashboard.json")) as Dashboard;
  const rows = panels.filter(({ type }) => type === "row").map(({ title }) => title);
  expect(table("Row").map(([row]) => row)).toEqual(rows);
});

test("what /sd/prometheus answers is shown as it is", async () => {
  const shown = codeBlocks(DOCS, "json")[0] ?? "";
  const target = {
    id: "4f2a9c…",
    name: "vllm-1",
    origin: "http://172.18.0.5:8000",
    models: ["Qwen/Qwen3-0.6B"],
  };
  const answer: unknown = await scrapeTargetsResponse([target]).json();
  expect(JSON.parse(shown)).toEqual(answer);
});

type Rule = {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly annotations: Readonly<Record<string, string>>;
};

describe("the alerts", () => {
  const { groups } = Bun.YAML.parse(readText("deploy/prometheus/alerts.yml")) as {
    readonly groups: readonly { readonly rules: readonly Rule[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);

  test("of the table are those of the file, in its order, after the time that it says", () => {
    const rows = table("Alert");
    expect(rows.map(([alert]) => alert)).toEqual(rules.map(({ alert }) => alert));
    for (const [index, rule] of rules.entries()) {
      const minutes = `${Number.parseInt(rule.for, 10)} min`;
      expect([rule.alert, rule.for, rows[index]?.[1]]).toEqual([
        rule.alert,
        minutes.replace(" min", "m"),
        expect.stringContaining(`for ${minutes}`),
      ]);
    }
  });

  test("ask for metrics and labels that there are, and tell labels of the result", async () => {
    const up = readSeries("# TYPE up gauge\nup 1"); // Prometheus' own, of each target
    const known = new Map([...(await proxySeries()), ...up]);
    for (const { alert, expr, annotations } of rules) {
      const labels = resultLabels(expr, known);
      const told = [
        ...Object.values(annotations)
          .join()
          .matchAll(/\$labels\.(\w+)/g),
      ];
      const missing = told.map(([, label = ""]) => label).filter((label) => !labels.has(label));
      expect([alert, missing]).toEqual([alert, []]);
    }
  });
});
