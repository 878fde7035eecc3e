/** A request that ends, in any way, gives back exactly what it took. */
import { expect, test } from "bun:test";
import { Life, REASONS } from "../support/routing/life.ts";

const ENDS = 20_000;
/** One seed, to repeat a failed run of the test. */
const SEED = Number(process.env["ENDS_SEED"] ?? 16);

test(`each of 20,000 random ends gives back exactly what the request took (ENDS_SEED=${SEED})`, () => {
  const life = new Life(SEED);
  while (life.ends < ENDS) {
    life.step();
    const [got, wanted] = life.counted;
    if (!Bun.deepEquals(got, wanted)) expect(got).toEqual([...wanted]);
  }
  life.finish();
  const [got, wanted] = life.counted;
  expect(got).toEqual([...wanted]);
  expect(new Set(got.flatMap(Object.values))).toEqual(new Set([0]));
  const ways = ["prefix", "load", "only", "failover", "newest", "saturated", "draining"];
  for (const way of [...ways, ...REASONS]) {
    expect([way, (life.ways.get(way) ?? 0) > 10]).toEqual([way, true]);
  }
}, 60_000);
