import { describe, expect, test } from "bun:test";
import { QueueTimer, queueTimerOf } from "../../src/ground/queue-timer.ts";
import { until } from "../support/until.ts";

const SHORT_MS = 5;

/** Adds a wait for each name, and notes whose are over. */
function setUp(timer: QueueTimer, names: readonly string[]) {
  const over: string[] = [];
  const waits = names.map((name) => timer.add({ due: () => over.push(name) }));
  return { over, waits };
}

describe("QueueTimer", () => {
  test("calls all that wait, the oldest first, none before its time", async () => {
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
  ])("does not call the one of number %d, which was called off", async (index, left) => {
    const timer = new QueueTimer(SHORT_MS);
    const { over, waits } = setUp(timer, ["a", "b", "c"]);
    timer.callOff(waits[index]!);
    timer.callOff(waits[index]!); // counts for nothing
    await until("the others are over", () => over.length === 2);
    expect(over).toEqual(left);
  });

  test("goes on with those that come while it has nobody, and while it calls", async () => {
    const timer = new QueueTimer(SHORT_MS);
    const { waits } = setUp(timer, ["a"]);
    timer.callOff(waits[0]!);
    const { over } = setUp(timer, ["b"]);
    timer.add({ due: () => timer.add({ due: () => over.push("d") }) });
    await until("all are over", () => over.length === 2);
    expect(over).toEqual(["b", "d"]);
    timer.callOff(waits[0]!); // long after its time
    const later = setUp(timer, ["e"]);
    await until("the last is over", () => later.over.length === 1);
  });

  test("one that was called off is not called by those before it", async () => {
    const timer = new QueueTimer(SHORT_MS);
    const over: string[] = [];
    timer.add({ due: () => timer.callOff(second) });
    const second = timer.add({ due: () => over.push("second") });
    timer.add({ due: () => over.push("third") });
    await until("the last is over", () => over.length > 0);
    expect(over).toEqual(["third"]);
  });

  test("one that is over, or was called off, leads to none that came later", async () => {
    const timer = new QueueTimer(SHORT_MS);
    const { over, waits } = setUp(timer, ["a", "b", "c"]);
    timer.callOff(waits[1]!);
    await until("the others are over", () => over.length === 2);
    expect(waits.map(({ previous, next }) => [previous, next])).toEqual(
      Array.from({ length: 3 }, () => [undefined, undefined]),
    );
  });

  test("keeps nothing of those that are called off", () => {
    const timer = new QueueTimer(1_000_000);
    const { waits } = setUp(timer, ["a", "b", "c", "d"]);
    for (const wait of [waits[1]!, waits[0]!, waits[3]!]) timer.callOff(wait);
    const [left] = [waits[2]!];
    expect([left.previous, left.next]).toEqual([undefined, undefined]);
  });
});

test("there is one timer for waits of one length", () => {
  expect(queueTimerOf(12_345)).toBe(queueTimerOf(12_345));
  expect(queueTimerOf(12_345)).not.toBe(queueTimerOf(12_346));
});
