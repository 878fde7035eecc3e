import { expect, test } from "bun:test";
import { jsonAnswer } from "../../../src/proxy/own/json-answer.ts";

test.each([
  ["short parts", ["[", '"ü"', "]"]],
  ["no parts", []],
  ["one part of 3 MiB", [`"${"x".repeat(3 * 1024 * 1024)}"`]],
  ["many parts that are long together", Array(2_000).fill('"äöü€😀-0123456789",'.repeat(50))],
  ["surrogate pairs at every boundary", [`a${"😀".repeat(800_000)}`, "😀".repeat(9)]],
])("jsonAnswer() of %s sends them unchanged", async (_what, parts) => {
  const response = jsonAnswer(parts);
  expect(response.headers.get("content-type")).toStartWith("application/json");
  expect((await response.text()) === parts.join("")).toBe(true);
});
