import { expect, test } from "bun:test";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { within } from "../support/until.ts";

const SCRIPT = fileURLToPath(import.meta.resolve("../support/process/line-writer.ts"));
const LINE = 1_000;
/** Much more than a pipe buffer. */
const MANY = 2_000;

function start(lines: number, stdout: "pipe" | number): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  return Bun.spawn([process.execPath, SCRIPT, String(lines)], {
    stdio: ["ignore", stdout as "pipe", "pipe"],
  });
}

test("writes everything in order", async () => {
  const child = start(MANY, "pipe");
  const text = await child.stdout.text();
  const numbers = text.trimEnd().split("\n").map(Number);
  expect(numbers).toEqual(Array.from({ length: MANY }, (_, n) => n));
  expect(await child.exited).toBe(0);
});

test("a reader that stops reading does not block the process, and delays its end by at most a second", async () => {
  const child = start(MANY, "pipe");
  const report = JSON.parse(await within("its report", child.stderr.text(), 10_000)) as {
    readonly writtenMs: number;
  };
  expect(report.writtenMs).toBeLessThan(1_000);
  expect(await within("its end", child.exited)).toBe(0);
});

test("appends to a file that other processes also write to", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "log");
  writeFileSync(path, "before\n");
  const file = openSync(path, "a");
  expect(await start(3, file).exited).toBe(0);
  closeSync(file);
  expect(readFileSync(path, "utf8")).toHaveLength("before\n".length + 3 * LINE);
});

test("drops text that cannot be written, without a failure", async () => {
  const full = openSync("/dev/full", "w");
  const child = start(3, full);
  expect(await child.stderr.text()).toContain('"isTerminal":true'); // a character device
  expect(await child.exited).toBe(0);
  closeSync(full);
});

test("does not fail when the reader is gone", async () => {
  const child = start(MANY, "pipe");
  await child.stdout.cancel();
  expect(await within("its end", child.exited)).toBe(0);
});
