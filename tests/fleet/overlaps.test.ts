import { describe, expect, test } from "bun:test";
import { warnOfOverlaps } from "../../src/fleet/overlaps.ts";
import { type Backend, doShare } from "../../src/routing/backend.ts";
import type { Overlap } from "../../src/routing/overlap.ts";
import { WarnOnce } from "../../src/telemetry/warn-once.ts";
import { type MemoryLog, memoryLog } from "../support/proxy/memory-log.ts";
import { type Entry, makeBackend, models } from "../support/server/backends.ts";

const A = makeBackend({ name: "a" });
const B = makeBackend({ name: "b" });

test("two containers with the same models cause another warning when the winner or the models change", () => {
  const log = memoryLog();
  const warnings = new WarnOnce(log);
  const warn = (winner: typeof A, ...modelIds: readonly string[]): number => {
    const other = winner === A ? B : A;
    warnOfOverlaps(warnings, [{ winner, other, modelIds, areReplicas: false }]);
    return log.lines.length;
  };
  expect(warn(B, "m", "n")).toBe(1);
  expect(warn(B, "n", "m")).toBe(1); // another order
  expect(warn(A, "m", "n")).toBe(2); // another winner
  expect(warn(A, "m", "n", "o")).toBe(3);
  expect(warn(A, "m", "n", "o")).toBe(3);
  expect(warn(A, "m")).toBe(4);
  expect(warn(A, "n")).toBe(5); // the same number, but another model
  expect(log.lines[1]).toMatchObject({
    container: "a",
    instead_of: "b",
    model_count: 2,
    models: ["m", "n"],
  });
});

test("a warning about 10,000 common models with long names is a short line", () => {
  const log = memoryLog();
  const modelIds = Array.from({ length: 10_000 }, (_, n) => `${n}${"x".repeat(5_000)}`);
  warnOfOverlaps(new WarnOnce(log), [{ winner: A, other: B, modelIds, areReplicas: false }]);
  expect(log.lines[0]).toMatchObject({ model_count: 10_000 });
  expect(JSON.stringify(log.lines[0]).length).toBeLessThan(1_500);
});

describe("warnOfOverlaps(), with the label inference.replica", () => {
  type Told = { readonly log: MemoryLog; readonly warn: (overlap: Overlap) => MemoryLog["lines"] };

  function told(): Told {
    const log = memoryLog();
    const warnings = new WarnOnce(log);
    const warn: Told["warn"] = (overlap) => {
      warnOfOverlaps(warnings, [overlap]);
      return log.lines;
    };
    return { log, warn };
  }

  function overlapOf(winner: Backend, other: Backend): Overlap {
    const areReplicas = doShare(winner, other);
    return { winner, other, modelIds: ["m"], areReplicas };
  }

  function replica(name: string, ...entries: readonly Entry[]): Backend {
    return makeBackend({ name, isReplica: true, models: entries });
  }

  test("without the label: the warning says what happens, and names the label as the remedy", () => {
    expect(told().warn(overlapOf(B, A))).toMatchObject([
      {
        level: "warn",
        message: "duplicate models",
        reason:
          "The last container to become healthy gets all requests for these models. To share the requests, set the label inference.replica=true on both containers.",
        ...{ container: "b", instead_of: "a" },
      },
    ]);
  });

  const LABELLED = replica("labelled", { id: "m" });

  test.each([
    ["the newer one", overlapOf(LABELLED, A), { container: "labelled", instead_of: "a" }],
    ["the older one", overlapOf(A, LABELLED), { container: "a", instead_of: "labelled" }],
  ])("only %s has it: the warning says which container lacks it", (_which, overlap, fields) => {
    expect(told().warn(overlap)).toMatchObject([
      {
        ...fields,
        without_label: "a",
        reason: expect.stringContaining("on the container in without_label too"),
      },
    ]);
  });

  test("two groups that a source has named: one warning for all their servers", () => {
    const { warn } = told();
    const [a1, a2, b1] = ["a", "a", "b"].map((shares) => makeBackend({ name: shares, shares }));
    expect(warn(overlapOf(b1!, a1!))).toMatchObject([
      {
        ...{ container: "b", instead_of: "a" },
        reason:
          "The last container to become healthy gets all requests for these models. It shares them with its own replicas only. To share the requests, set the label inference.replica=true on both containers.",
      },
    ]);
    expect(warn(overlapOf(b1!, a2!))).toHaveLength(1);
    expect(warn(overlapOf(a2!, b1!))).toHaveLength(2); // another winner
    expect(warn(overlapOf(b1!, A))).toHaveLength(3);
    expect(warn(overlapOf(b1!, LABELLED))).toMatchObject([
      ...[{}, {}, { instead_of: "a" }],
      {
        without_label: "b",
        reason: expect.stringContaining("on the container in without_label too"),
      },
    ]);
  });

  test("replicas in a group that a source has named differ: the warning does not mention a label", () => {
    const [one, other] = [1, 2].map((size) =>
      makeBackend({ shares: "web", models: [{ id: "m", max_model_len: size }] }),
    );
    expect(told().warn(overlapOf(one!, other!))).toMatchObject([
      {
        message: "replicas differ",
        reason: expect.stringMatching(/Requests go to both\. Set up both in the same way\.$/),
      },
    ]);
  });

  test("both have it, and their lists are the same: no warning", () => {
    const entry = { id: "m", max_model_len: 8_192, owned_by: "vllm" };
    const [one, other] = [
      replica("one", { ...entry, created: 1 }),
      replica("other", { ...entry, created: 2 }),
    ];
    expect(told().warn(overlapOf(one, other))).toEqual([]);
  });

  test("replicas differ: one warning, whichever is newer, until the difference changes", () => {
    const { warn } = told();
    const one = replica("gpu-1", { id: "m", max_model_len: 8_192 }, { id: "n" });
    const other = replica("gpu-2", { id: "m", max_model_len: 4_096 }, { id: "n" });
    expect(warn(overlapOf(other, one))).toHaveLength(1);
    expect(warn(overlapOf(one, other))).toMatchObject([
      {
        level: "warn",
        message: "replicas differ",
        containers: ["gpu-1", "gpu-2"],
        model_count: 1,
        models: ["m"],
        reason:
          "model m: max_model_len is 8192 on gpu-1 and 4096 on gpu-2. Requests go to both. Set up both in the same way, or remove the label inference.replica from one.",
      },
    ]);
    other.replaceModels(models({ id: "n" }, { id: "m", max_model_len: 4_096, created: 1 }));
    expect(warn(overlapOf(other, one))).toHaveLength(1);
    other.replaceModels(models({ id: "m", max_model_len: 2_048 }));
    expect(warn(overlapOf(other, one))).toMatchObject([
      {},
      { reason: expect.stringContaining("2048") },
    ]);
  });

  test("a warning about 200 models that differ, with long names and values, is a short line", () => {
    const { warn } = told();
    const list = (owner: string): readonly Entry[] =>
      Array.from({ length: 200 }, (_, n) => ({
        id: `${n}${"x".repeat(200)}`,
        owned_by: owner.repeat(300),
      }));
    const [line] = warn(
      overlapOf(replica("a".repeat(500), ...list("v")), replica("b", ...list("w"))),
    );
    expect(line).toMatchObject({
      model_count: 200,
      reason: expect.stringMatching(/; and 197 more models\. Requests go to both\./),
    });
    expect(JSON.stringify(line).length).toBeLessThan(4_000);
  });
});
