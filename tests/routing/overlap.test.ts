import { describe, expect, test } from "bun:test";
import { overlapsByModel, overlapsWith } from "../../src/routing/overlap.ts";
import { makeBackend } from "../support/server/backends.ts";

const M = [{ id: "m" }];

describe("overlapsWith()", () => {
  test.each<[newest: boolean, other: boolean, shared: boolean]>([
    [true, true, true],
    [true, false, false],
    [false, true, false],
    [false, false, false],
  ])(
    "a newer backend (replica: %p) and an older one (replica: %p) share: %p",
    (newest, other, shared) => {
      const a = makeBackend({ rank: 1, models: M, isReplica: other });
      const b = makeBackend({ rank: 2, models: M, isReplica: newest });
      const overlap = { winner: b, other: a, modelIds: ["m"], areReplicas: shared };
      expect([overlapsWith(a, [a, b]), overlapsWith(b, [a, b])]).toEqual([[overlap], [overlap]]);
      const served = { id: "m", backends: [b, a], replicas: undefined };
      expect(overlapsByModel([served])).toEqual([overlap]);
    },
  );

  test("backends of two groups do not share", () => {
    const a = makeBackend({ rank: 1, models: M, shares: "service a" });
    const b = makeBackend({ rank: 2, models: M, shares: "service b" });
    const overlap = { winner: b, other: a, modelIds: ["m"], areReplicas: false };
    expect(overlapsWith(a, [b])).toEqual([overlap]);
    expect(overlapsByModel([{ id: "m", backends: [b, a], replicas: undefined }])).toEqual([
      overlap,
    ]);
  });

  test("ignores the same server, draining backends, and backends with other models", () => {
    const backend = makeBackend({ models: [{ id: "m" }, { id: "n" }] });
    const again = makeBackend({ run: { ...backend.run, startedAtMs: 1 }, models: M });
    const draining = makeBackend({ models: M });
    draining.drain();
    const stranger = makeBackend({ models: [{ id: "x" }] });
    expect(overlapsWith(backend, [again, draining, stranger])).toEqual([]);
  });
});

describe("overlapsByModel()", () => {
  test("returns one overlap of the newest with each other backend, with all models that both have", () => {
    const [a, b, c] = [1, 2, 3].map((rank) => makeBackend({ rank, isReplica: rank !== 2 }));
    const backends = [c!, b!, a!];
    const [m, n, own] = [
      { id: "m", backends, replicas: [c!, a!] },
      { id: "n", backends: [c!, a!], replicas: [c!, a!] },
      { id: "own", backends: [c!], replicas: [c!] },
    ];
    expect(overlapsByModel([m!, n!, own!])).toEqual([
      { winner: c!, other: b!, modelIds: ["m"], areReplicas: false },
      { winner: c!, other: a!, modelIds: ["m", "n"], areReplicas: true },
    ]);
  });

  test("counts only active backends", () => {
    const [a, b, c] = [1, 2, 3].map((rank) => makeBackend({ rank }));
    c!.drain();
    const served = { id: "m", backends: [c!, b!, a!], replicas: undefined };
    expect(overlapsByModel([served])).toMatchObject([{ winner: { rank: 2 }, other: { rank: 1 } }]);
    a!.drain();
    expect(overlapsByModel([served])).toEqual([]);
    b!.drain();
    expect(overlapsByModel([served])).toEqual([]);
  });
});
