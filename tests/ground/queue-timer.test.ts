import { describe, expect, test } from "bun:test";
import { QueueTimer, queueTimerOf } from "../../src/ground/queue-timer.ts";
import { until } from "../support/until.ts";

const SHORT_MS = 5;

/** Adds a wait for each name and records which waits are over. */
function setUp(timer: QueueTimer, names: readonly string[]) {
  const over: string[] = [];
  const waits = names.map((name) => timer.add({ due: () => over.push(name) }));
  return { over, waits };
}

describe("QueueTimer", () => {
  test("calls all waits, the oldest first, and no wait too early", async () => {
    const beganMs = performance.now();
    const { over } = setUp(new QueueTimer(SHORT_MS), ["a", "b", "c"]);
    expect(over).toEqual([]);
    await until("all are over", () => over.length === 3);
    expect(over).toEqual(["a", "b", "c"]);
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(SHORT_MS);
  });

  test.each([
    [0, ["b", "c"]],
    [1, ["a", "c"]],
    [2, ["a", "b"]],
  ])("does not call wait %d after callOff()", async (index, left) => {
    const timer = new QueueTimer(SHORT_MS);
    const { over, waits } = setUp(timer, ["a", "b", "c"]);
    timer.callOff(waits[index]!);
    timer.callOff(waits[index]!); // has no effect
    await until("the others are over", () => over.length === 2);
    expect(over).toEqual(left);
  });

  test("handles waits that are added while the list is empty or during a call", async () => {
    const timer = new QueueTimer(SHORT_MS);
    const { waits } = setUp(timer, ["a"]);
    timer.callOff(waits[0]!);
    const { over } = setUp(timer, ["b"]);
    timer.add({ due: () => timer.add({ due: () => over.push("d") }) });
    await until("all are over", () => over.length === 2);
    expect(over).toEqual(["b", "d"]);
    timer.callOff(waits[0]!); // long after its end
    const later = setUp(timer, ["e"]);
    await until("the last is over", () => later.over.length === 1);
  });

  test("does not call a wait that an earlier wait cancels in its call", async () => {
    const timer = new QueueTimer(SHORT_MS);
    const over: string[] = [];
    timer.add({ due: () => timer.callOff(second) });
    const second = timer.add({ due: () => over.push("second") });
    timer.add({ due: () => over.push("third") });
    await until("the last is over", () => over.length > 0);
    expect(over).toEqual(["third"]);
  });

  test("a wait that is over or cancelled does not refer to later waits", async () => {
    const timer = new QueueTimer(SHORT_MS);
    const { over, waits } = setUp(timer, ["a", "b", "c"]);
    timer.callOff(waits[1]!);
    await until("the others are over", () => over.length === 2);
    expect(waits.map(({ previous, next }) => [previous, next])).toEqual(
      Array.from({ length: 3 }, () => [undefined, undefined]),
    );
  });

  test("keeps no cancelled wait", () => {
    const timer = new QueueTimer(1_000_000);
    const { waits } = setUp(timer, ["a", "b", "c", "d"]);
    for (const wait of [waits[1]!, waits[0]!, waits[3]!]) timer.callOff(wait);
    const [left] = [waits[2]!];
    expect([left.previous, left.next]).toEqual([undefined, undefined]);
  });
});

test("queueTimerOf() returns the same timer for the same length", () => {
  expect(queueTimerOf(12_345)).toBe(queueTimerOf(12_345));
  expect(queueTimerOf(12_345)).not.toBe(queueTimerOf(12_346));
});
