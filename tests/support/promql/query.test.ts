import { expect, test } from "bun:test";
import { resultLabels } from "./query.ts";
import type { KnownSeries } from "./values.ts";

const KNOWN: KnownSeries = new Map([
  ["requests_total", { kind: "counter", labels: ["model", "status_code", "instance"] }],
  ["errors_total", { kind: "counter", labels: ["model", "error_type", "instance"] }],
  ["duration_bucket", { kind: "counter", labels: ["model", "le", "instance"] }],
  ["waiting", { kind: "gauge", labels: ["model", "instance"] }],
  ["vllm:waiting", { kind: "gauge", labels: ["container_name", "instance"] }],
]);

test.each<[query: string, labels: readonly string[]]>([
  ["waiting", ["instance", "model"]],
  ["sum(waiting)", []],
  ["sum by (model) (waiting)", ["model"]],
  ["sum(waiting) by (model)", ["model"]],
  ["sum without (instance) (waiting)", ["model"]],
  ['max by (container_name) (vllm:waiting{container_name!~"a|b"})', ["container_name"]],
  [
    'sum by (model) (rate(requests_total{model=~"$model", status_code=~"5.."}[$interval]))',
    ["model"],
  ],
  ["histogram_quantile(0.95, sum by (le, model) (rate(duration_bucket[5m])))", ["model"]],
  ["sum(rate(errors_total[5m])) / sum(rate(requests_total[5m]))", []],
  ["(sum(increase(requests_total[5m])) or vector(0)) / (sum(waiting) > 0) * 100", []],
  ["errors_total / on (model, instance) requests_total", ["instance", "model"]],
  ["errors_total / ignoring (error_type, status_code) requests_total", ["instance", "model"]],
  ["waiting unless on (model) errors_total", ["instance", "model"]],
  ["topk(5, waiting)", ["instance", "model"]],
  ["clamp_max(max_over_time(waiting[1h]), 1) == 1", ["instance", "model"]],
  ["waiting > bool 0", ["instance", "model"]],
  ['{__name__=~"waiting|requests_total", model="a"}', ["instance", "model"]],
  ["1 - 0.5", []],
])("resultLabels() of %s", (query, labels) => {
  expect([...resultLabels(query, KNOWN)].toSorted()).toEqual([...labels]);
});

test.each<[query: string, error: string]>([
  ["sum(wating)", 'no metric "wating"'],
  ['{__name__=~"waiting|wating"}', 'no metric "wating"'],
  ['{model="a"}', 'no metric ""'],
  ['waiting{modell="a"}', 'no label "modell"'],
  ["sum by (status_code) (waiting)", 'no label "status_code"'],
  ["sum(sum by (model) (waiting)) by (instance)", 'no label "instance"'],
  ["max without (le) (waiting)", 'no label "le"'],
  ["histogram_quantile(0.5, sum by (model) (rate(duration_bucket[5m])))", 'no label "le"'],
  ["errors_total / on (status_code) requests_total", 'no label "status_code"'],
  ["errors_total / requests_total", "never meet: only one has"],
  ["rate(waiting[5m])", "for counters"],
  ["rate(requests_total)", "takes a range"],
  ["sum(requests_total[5m])", "takes a vector"],
  ["requests_total[5m]", "It is a range"],
  ["requests_total[5m] + 1", "takes no range"],
  ["summe(waiting)", "summe() is not known"],
  ["waiting offset 5m", "Cannot read"],
  ["waiting offset", '"end" is missing'],
  ["errors_total / on (model) group_left requests_total", "group_left"],
  ['waiting{model="$model"}', "use =~"],
  ['waiting{model>"a"}', "matches no label"],
  ["sum(waiting", '")" is missing'],
  ["sum(waiting))", '"end" is missing'],
  ["rate(requests_total[5 minutes])", "Cannot read"],
  ["5m", "Cannot read"],
])("resultLabels() refuses %s", (query, error) => {
  expect(() => resultLabels(query, KNOWN)).toThrow(error);
});
