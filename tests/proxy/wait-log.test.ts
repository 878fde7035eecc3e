import { expect, test } from "bun:test";
import { WaitLog } from "../../src/proxy/wait-log.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";

test("WaitLog logs the first wait and the end of the last one, with their number and the longest time", () => {
  const log = memoryLog();
  const wait = new WaitLog(log);
  wait.entered("m", "its server is starting");
  wait.entered("m", "others wait for it already");
  wait.entered("n", "its server is starting");
  wait.left("m", 2_340, true);
  wait.left("m", 1_000, false);
  wait.left("n", 5, false);
  expect(log.lines.map(({ message, model }) => [message, model])).toEqual([
    ["requests waiting", "m"],
    ["requests waiting", "n"],
    ["no requests waiting", "m"],
    ["no requests waiting", "n"],
  ]);
  expect(log.lines[2]).toMatchObject({ requests: 2, longest_seconds: 2.3 });
});

test("WaitLog writes one pair of lines a minute for a model whose servers are often full", () => {
  const log = memoryLog();
  let nowMs = 0;
  const wait = new WaitLog(log, () => nowMs);
  for (; nowMs < 120_000; nowMs += 100) {
    wait.entered("m", "full");
    wait.left("m", 10, false);
  }
  expect(log.lines.filter(({ level }) => level === "info")).toHaveLength(4);
  expect(log.lines.filter(({ level }) => level === "debug")).toHaveLength(2_400 - 4);
});

test("WaitLog writes sixty pairs a minute for thousands of models", () => {
  const log = memoryLog();
  let nowMs = 0;
  const wait = new WaitLog(log, () => nowMs);
  for (const minute of [0, 1]) {
    nowMs = minute * 60_000;
    for (let n = 0; n < 500; n += 1) {
      wait.entered(`m${minute}-${n}`, "full");
      wait.left(`m${minute}-${n}`, 10, false);
    }
  }
  expect(log.lines.filter(({ level }) => level === "info")).toHaveLength(2 * 2 * 60);
});

test("WaitLog does not log the end of a wait whose beginning it did not log", () => {
  const log = memoryLog();
  new WaitLog(log).left("m", 1, false);
  expect(log.lines).toEqual([]);
});
