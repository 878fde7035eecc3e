/** Makes two tests from each case of a table: directly, and through the proxy. */
import { afterAll, describe, expect, test } from "bun:test";
import { type Case, expectedThrough, seenDirectly, seenThrough } from "./conformance.ts";
import { startNode } from "./node-process.ts";

/** @param what the name of the table */
export async function compare(what: string, cases: readonly Case[]): Promise<void> {
  const node = await startNode();
  afterAll(() => node[Symbol.dispose]());
  const named = cases.map((tried) => [tried.name, tried] as const);

  describe(`${what}: what both ends see directly`, () => {
    test.each(named)("%s", async (_name, tried) => {
      expect(await seenDirectly(node, tried)).toEqual(tried.sees);
    });
  });
  describe(`${what}: the same through the proxy`, () => {
    test.each(named)("%s", async (_name, tried) => {
      expect(await seenThrough(node, tried)).toEqual(expectedThrough(tried));
    });
  });
}
