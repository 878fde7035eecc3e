/**
 * Prometheus' configuration and the alert rules use only names that the proxy has.
 * tests/observe runs a real Prometheus.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { METRICS as METRICS_PATH, SCRAPE_TARGETS } from "../../src/ground/paths.ts";
import { ERRORS } from "../../src/proxy/own/errors.ts";
import { type ScrapeTarget, scrapeTargetsResponse } from "../../src/proxy/own/scrape-targets.ts";
import { ALERT_RULES, type AlertRule, CONFIGURATION } from "../support/observe/rules.ts";
import { resultLabels } from "../support/promql/query.ts";
import { proxySeries } from "../support/promql/scraped.ts";

type Job = {
  readonly job_name: string;
  readonly metrics_path?: string;
  readonly static_configs?: readonly { readonly targets: readonly string[] }[];
  readonly http_sd_configs?: readonly { readonly url: string }[];
  readonly relabel_configs?: readonly {
    readonly source_labels: readonly string[];
    readonly regex?: string;
  }[];
};

type Configuration = {
  readonly rule_files: readonly string[];
  readonly scrape_configs: readonly Job[];
};

const { rule_files, scrape_configs } = Bun.YAML.parse(
  readFileSync(join(CONFIGURATION, "prometheus.yml"), "utf8"),
) as Configuration;
const [proxyJob, serversJob] = scrape_configs as readonly [Job, Job];

/** Includes the labels that Prometheus itself adds to each target. */
const KNOWN = new Map([
  ...(await proxySeries()),
  ["up", { kind: "gauge", labels: ["job", "instance"] } as const],
]);

/** @returns the fault in a rule, or undefined */
function faultOf({ expr, annotations }: AlertRule): string | undefined {
  try {
    const labels = resultLabels(expr, KNOWN);
    const used = [...JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g)];
    const missing = used.map(([, label = ""]) => label).filter((label) => !labels.has(label));
    return missing.length === 0 ? undefined : `its result has no ${missing.join()}`;
  } catch (error) {
    return String(error);
  }
}

function anchored(regex: string): RegExp {
  return new RegExp(`^(?:${regex})$`); // Prometheus anchors it in the same way
}

function ruleOf(name: string): AlertRule {
  return ALERT_RULES.find(({ alert }) => alert === name)!;
}

describe("the alert rules", () => {
  test.each(ALERT_RULES.map((rule) => [rule.alert, rule] as const))(
    "%s uses metrics and labels that exist, and says what to do",
    (_name, rule) => {
      expect(faultOf(rule)).toBeUndefined();
      expect(["critical", "warning"]).toContain(rule.labels["severity"] ?? "");
      expect(rule.for).toMatch(/^\d+m$/);
      expect(Object.keys(rule.annotations)).toEqual(["summary", "description"]);
      expect(rule.annotations["description"]).toMatch(/^[A-Z{].{100,}\.$/);
    },
  );

  test.each<[why: string, alert: string, from: string, to: string]>([
    ["a wrong metric name", "InferenceModelWithoutServer", "proxy_model_backends", "proxy_models"],
    ["a counter without its suffix", "InferenceErrors", "_errors_total", "_errors"],
    ["a wrong label", "InferenceErrors", "error_type", "error.type"],
    ["a label that the expression dropped", "InferenceErrors", "by (model)", "by (error_type)"],
    ["an unknown label in the text", "InferenceEngineLost", "$labels.instance", "$labels.engine"],
  ])("the check finds %s", (_why, alert, from, to) => {
    const text = JSON.stringify(ruleOf(alert));
    expect(text).toContain(from);
    expect(faultOf(JSON.parse(text.replaceAll(from, to)) as AlertRule)).not.toBeUndefined();
  });

  const excused = anchored(/error_type!~"([^"]+)"/.exec(ruleOf("InferenceErrors").expr)?.[1] ?? "");

  test.each(Object.entries(ERRORS).map(([code, { status }]) => [code, status] as const))(
    "InferenceErrors counts %s (%d) unless the client is at fault",
    (code, status) => {
      expect(excused.test(code)).toBe(status < 500);
    },
  );

  test.each([
    ["500", false],
    ["503", false],
    ["404", true],
    ["429", true],
    ["client_gone", true],
    ["upstream_broken_off", false],
    ["drain_timeout", false],
    ["connection_refused", false],
    ["connection_reset", false],
    ["connect_timeout", false],
    ["upstream_failed", false],
    ["container_oom", false],
    ["container_exit", false],
    ["other", false],
  ])("InferenceErrors ignores %s: %p", (word, isExcused) => {
    expect(excused.test(word)).toBe(isExcused);
  });
});

describe("prometheus.yml", () => {
  test("loads the rules file beside it", () => {
    for (const file of rule_files) expect(existsSync(join(CONFIGURATION, file))).toBe(true);
  });

  test("scrapes the proxy at its paths, and by a name that it accepts", () => {
    expect(proxyJob.static_configs).toEqual([{ targets: ["proxy:8080"] }]);
    for (const job of scrape_configs) expect(job.metrics_path ?? "/metrics").toBe(METRICS_PATH);
    expect(serversJob.http_sd_configs?.map(({ url }) => url)).toEqual([
      `http://proxy:8080${SCRAPE_TARGETS}`,
    ]);
  });

  test("names the jobs as the rules do", () => {
    const jobs = ALERT_RULES.flatMap(({ expr }) => [...expr.matchAll(/job="([^"]+)"/g)]);
    expect(jobs.map(([, job]) => job)).toEqual([proxyJob.job_name]);
  });

  test("relabels with labels that the proxy sets, and sets the model only when a server has a single one", async () => {
    const labelsOf = async (
      models: readonly string[],
    ): Promise<Readonly<Record<string, string>>> => {
      const target: ScrapeTarget = {
        id: "1",
        name: "vllm-1",
        origin: "http://10.0.0.1:8000",
        models,
      };
      const [group] = (await scrapeTargetsResponse([target]).json()) as [{ labels: never }];
      return group.labels;
    };
    const given = Object.keys(await labelsOf([]));
    for (const { source_labels } of serversJob.relabel_configs ?? []) {
      for (const label of source_labels) expect(given).toContain(label);
    }
    const regex = anchored(serversJob.relabel_configs?.[0]?.regex ?? "");
    const modelIn = async (...models: readonly string[]): Promise<string | undefined> =>
      regex.exec((await labelsOf(models))["__meta_inference_models"] ?? "")?.[1];
    expect(await modelIn("org/model-1")).toBe("org/model-1");
    expect(await modelIn("a", "b")).toBeUndefined();
    expect(await modelIn()).toBeUndefined();
  });
});
