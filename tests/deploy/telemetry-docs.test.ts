/** What docs/telemetry.md says of files and answers is so. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { scrapeTargetsResponse } from "../../src/proxy/own/scrape-targets.ts";
import type { Dashboard } from "../support/grafana.ts";
import { resultLabels } from "../support/promql/query.ts";
import { proxySeries, readSeries } from "../support/promql/scraped.ts";

const ROOT = join(import.meta.dir, "../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const DOCS = read("docs/telemetry.md");

/** The rows of the table whose first column has this heading, without the marks of code. */
function table(heading: string): readonly (readonly string[])[] {
  const [, rest = ""] = DOCS.split(`| ${heading} |`);
  const rows = rest.split("\n").slice(2);
  const end = rows.findIndex((row) => !row.startsWith("|"));
  return rows.slice(0, end).map((row) =>
    row
      .replaceAll("`", "")
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** GitHub's anchor of each heading. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
}

test.each(["docs/telemetry.md", "docs/swarm.md", "docs/README.md"])(
  "each link of %s leads somewhere",
  (file) => {
    const links = [...read(file).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)];
    expect(links.length).toBeGreaterThan(1);
    for (const [link, path = "", anchor] of links) {
      const target = path === "" ? file : join(dirname(file), path);
      expect([link, existsSync(join(ROOT, target))]).toEqual([link, true]);
      if (anchor !== undefined) expect(anchorsOf(read(target))).toContain(anchor);
    }
  },
);

test("docs/README.md names each file of docs/", () => {
  const files = [...new Bun.Glob("*.md").scanSync(join(ROOT, "docs"))];
  const named = [...read("docs/README.md").matchAll(/\]\((\w+\.md)\)/g)].map(([, file]) => file);
  expect(named.toSorted()).toEqual(
    files.filter((file) => file !== "README.md").toSorted() as string[],
  );
});

test("the table of rows has those of the dashboard, in their order", () => {
  const { panels } = JSON.parse(read("deploy/grafana/dashboard.json")) as Dashboard;
  const rows = panels.filter(({ type }) => type === "row").map(({ title }) => title);
  expect(table("Row").map(([row]) => row)).toEqual(rows);
});

test("what /sd/prometheus answers is shown as it is", async () => {
  const shown = /^```json\n(.*?)^```$/ms.exec(DOCS)?.[1] ?? "";
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
  const { groups } = Bun.YAML.parse(read("deploy/prometheus/alerts.yml")) as {
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
