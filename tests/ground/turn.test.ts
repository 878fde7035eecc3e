import { expect, test } from "bun:test";
import { Turn } from "../../src/ground/turn.ts";

/** Keeps the thread busy, like long work. */
function work(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

test("Turn is over after some milliseconds; next() lets other work run and begins a new turn", async () => {
  const turn = new Turn();
  expect(turn.isOver).toBe(false);
  work(6);
  expect(turn.isOver).toBe(true);
  const order: string[] = [];
  setImmediate(() => order.push("another"));
  await turn.next();
  order.push("the work again");
  expect(order).toEqual(["another", "the work again"]);
  expect(turn.isOver).toBe(false);
});
