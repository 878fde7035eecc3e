import { expect, test } from "bun:test";
import { newPseudonym, viaEntry } from "../../src/ground/pseudonym.ts";

test("newPseudonym() gives another name each time, which Via can hold", () => {
  const names = Array.from({ length: 100 }, newPseudonym);
  expect(new Set(names).size).toBe(100);
  for (const name of names) expect(name).toMatch(/^lw-inference-proxy-[\da-f]{8}$/);
});

test("viaEntry() names a version and the proxy (RFC 9110 §7.6.3)", () => {
  expect(viaEntry("lw-inference-proxy-1")).toBe("1.1 lw-inference-proxy-1");
});
