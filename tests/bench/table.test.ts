import { expect, test } from "bun:test";
import { add, type Samples } from "./samples.ts";
import { table } from "./table.ts";
import { BEFORE, BUN, CADDY, DIRECT, GO, NGINX, OURS } from "./targets.ts";

/** The last cell of each row, by the row's name. */
function asked(samples: Samples, targets: readonly string[]): Readonly<Record<string, string>> {
  const [, , ...rows] = table(samples, targets).split("\n");
  return Object.fromEntries(
    rows.map((row) => row.slice(2, -2).split(" | ")).map((cells) => [cells[0], cells.at(-1)]),
  );
}

function sampled(
  workload: string,
  figure: string,
  values: Readonly<Record<string, number>>,
): Samples {
  const samples: Samples = new Map();
  for (const [target, value] of Object.entries(values)) {
    add(samples, workload, target, { [figure]: value });
  }
  return samples;
}

test.each<[workload: string, figure: string, values: Record<string, number>, cell: string]>([
  ["json-32", "cpuUs", { [BUN]: 40, [OURS]: 62 }, "bun 1.55, ≤ 1.5 (1.4) **missed**"],
  ["json-32", "cpuUs", { [OURS]: 100, [BEFORE]: 100 }, "before 1.00, ≤ 1.05 (0.8)"],
  [
    "json-32",
    "cpuUs",
    { [BUN]: 50, [OURS]: 70, [BEFORE]: 60 },
    "bun 1.40, ≤ 1.5 (1.4); before 1.17, ≤ 1.05 (0.8) **missed**",
  ],
  ["json-1", "cpuUs", { [NGINX]: 1, [GO]: 200, [OURS]: 201 }, "go ≤ 1 (0.8) **missed**"],
  [
    "json-1",
    "p50Us",
    { [DIRECT]: 100, [NGINX]: 150, [GO]: 200, [OURS]: 200 },
    "nginx ≤ 1.7 (1) **missed**; go ≤ 1 (0.8)",
  ],
  ["paced", "latePercent", { [GO]: 0, [OURS]: 0 }, "go ≤ 1 (0.9)"],
  ["paced", "latePercent", { [GO]: 0, [OURS]: 1 }, "go ≤ 1 (0.9) **missed**"],
  [
    "flood",
    "rate",
    { [NGINX]: 10, [GO]: 9, [OURS]: 9 },
    "nginx ≥ 0.9 (1); go ≥ 1.1 (1.3) **missed**",
  ],
  ["image", "cpuUs", { [NGINX]: 5, [OURS]: 10 }, "nginx ≤ 2 (1.5)"],
  ["upload", "cpuUs", { [NGINX]: 1, [CADDY]: 10, [OURS]: 15 }, "caddy 1.50, ≤ 1.5 (1.2)"],
  ["idle", "residentMib", { [OURS]: 171 }, "≤ 170 (140) **missed**"],
])("the table judges %s, %s, of %j", (workload, figure, values, cell) => {
  const samples = sampled(workload, figure, values);
  expect(Object.values(asked(samples, Object.keys(values)))).toEqual([cell]);
});

test("the table has no empty column, and no limit against a target without figures", () => {
  const samples = sampled("json-32", "cpuUs", { [NGINX]: 10, [OURS]: 20 });
  expect(table(samples, [DIRECT, NGINX, GO, BUN, OURS]).split("\n")).toEqual([
    "|  | nginx | ours | ours / nginx |",
    "| --- | --: | --: | --: |",
    "| small JSON, 32 connections: CPU µs a request | 10.0 | 20.0 | 2.00 |",
  ]);
});
