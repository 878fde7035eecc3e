/** Reads the alert rules of deploy/prometheus. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The folder with Prometheus' whole configuration. */
export const CONFIGURATION = join(import.meta.dir, "../../../deploy/prometheus");

export type AlertRule = {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
};

type RuleFile = { readonly groups: readonly { readonly rules: readonly AlertRule[] }[] };

export const ALERT_RULES = readRules(readFileSync(join(CONFIGURATION, "alerts.yml"), "utf8"));

function readRules(text: string): readonly AlertRule[] {
  return (Bun.YAML.parse(text) as RuleFile).groups.flatMap(({ rules }) => rules);
}
