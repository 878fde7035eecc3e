import { expect, test } from "bun:test";
import { newPseudonym, viaEntry } from "../../src/ground/pseudonym.ts";

test("newPseudonym() returns a new name each time, and the name is valid in Via", () => {
  const names = Array.from({ length: 100 }, newPseudonym);
  expect(new Set(names).size).toBe(100);
  for (const name of names) expect(name).toMatch(/^lw-inference-proxy-[\da-f]{8}$/);
});

test("viaEntry() contains a version and the name of the proxy (RFC 9110 §7.6.3)", () => {
  expect(viaEntry("lw-inference-proxy-1")).toBe("1.1 lw-inference-proxy-1");
});
