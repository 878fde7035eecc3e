/** Debian's promtool, which tests alert rules with series that a test makes up. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../temporary-directory.ts";
import { providePrometheus } from "./package.ts";
import { ALERT_RULES, CONFIGURATION } from "./rules.ts";

type Labels = Readonly<Record<string, string>>;
/** Name and labels → values, one a minute, in promtool's notation: `0+10x5` is 0 10 20 30 40 50. */
export type Series = Readonly<Record<string, string>>;

/** A firing alert. `value` is its `{{ $value | … }}` as people read it. */
type Firing = { readonly labels: Labels; readonly value?: string };

export type AlertCase = readonly [
  what: string,
  series: Series,
  atMinute: number,
  firing: readonly Firing[],
];

export async function runPromtool(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly text: string }> {
  const { promtool } = await providePrometheus();
  const child = Bun.spawn([promtool, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [code, stdout, stderr] = await Promise.all([
    child.exited,
    child.stdout.text(),
    child.stderr.text(),
  ]);
  return { code, text: stdout + stderr };
}

/**
 * Runs promtool on one case of an alert.
 *
 * @returns promtool's complaint; empty if the case passes
 */
export async function complaint(
  name: string,
  [, series, atMinute, firing]: AlertCase,
): Promise<string> {
  using folder = temporaryDirectory();
  const rule = ALERT_RULES.find(({ alert }) => alert === name)!;
  const file = join(folder.path, "test.yml");
  const content = {
    rule_files: [join(CONFIGURATION, "alerts.yml")],
    evaluation_interval: "15s",
    tests: [
      {
        interval: "1m",
        input_series: Object.entries(series).map(([key, values]) => ({ series: key, values })),
        alert_rule_test: [
          {
            eval_time: `${atMinute}m`,
            alertname: name,
            exp_alerts: firing.map((alert) => ({
              exp_labels: { ...rule.labels, ...alert.labels },
              exp_annotations: filledIn(rule.annotations, alert),
            })),
          },
        ],
      },
    ],
  };
  writeFileSync(file, JSON.stringify(content)); // JSON is YAML
  const { code, text } = await runPromtool("test", "rules", file);
  return code === 0 ? "" : text;
}

function filledIn(annotations: Labels, { labels, value = "" }: Firing): Labels {
  const filled = Object.entries(annotations).map(([name, text]): [string, string] => [
    name,
    text
      .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_all, label: string) => labels[label] ?? "")
      .replaceAll(/\{\{ \$value \| \w+ \}\}/g, value),
  ]);
  return Object.fromEntries(filled);
}
