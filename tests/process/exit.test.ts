import { expect, test } from "bun:test";
import { fileURLToPath } from "node:url";

const FILE = fileURLToPath(import.meta.resolve("../../src/process/exit.ts"));

/** The exit code and output of a process that calls this. */
async function leftBy(call: string): Promise<readonly [code: number, out: string, err: string]> {
  const script = `const { exitWith, fail } = await import(${JSON.stringify(FILE)}); ${call}`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return [await child.exited, out, err];
}

test("fail() prints a line for each reason, without control characters", async () => {
  expect(await leftBy(`fail(["one\\u001b", "two"], 2)`)).toEqual([
    2,
    "",
    "lw-inference-proxy: one\\u001b\nlw-inference-proxy: two\n",
  ]);
});

test("exitWith() writes a complete text that is longer than a pipe buffer", async () => {
  const call = `await exitWith({ code: 3, stdout: "x".repeat(1_000_000), stderr: "err" })`;
  const [code, out, err] = await leftBy(call);
  expect([code, out.length, err]).toEqual([3, 1_000_000, "err"]);
});

test("exitWith() writes nothing without a text", async () => {
  expect(await leftBy("await exitWith({ code: 0 })")).toEqual([0, "", ""]);
});
