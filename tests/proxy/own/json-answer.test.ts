import { expect, test } from "bun:test";
import { jsonAnswer } from "../../../src/proxy/own/json-answer.ts";

test.each([
  ["short ones", ["[", '"ü"', "]"]],
  ["none", []],
  ["one of 3 MiB", [`"${"x".repeat(3 * 1024 * 1024)}"`]],
  ["many that are long together", Array(2_000).fill('"äöü€😀-0123456789",'.repeat(50))],
  ["characters of two halves at every boundary", [`a${"😀".repeat(800_000)}`, "😀".repeat(9)]],
])("jsonAnswer() of %s is the parts as they are", async (_what, parts) => {
  const response = jsonAnswer(parts);
  expect(response.headers.get("content-type")).toStartWith("application/json");
  expect((await response.text()) === parts.join("")).toBe(true);
});
