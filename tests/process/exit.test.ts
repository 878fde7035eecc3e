import { expect, test } from "bun:test";
import { fileURLToPath } from "node:url";

const FILE = fileURLToPath(import.meta.resolve("../../src/process/exit.ts"));

/** What a process that calls this leaves behind. */
async function leftBy(call: string): Promise<readonly [code: number, out: string, err: string]> {
  const script = `const { exitWith, fail } = await import(${JSON.stringify(FILE)}); ${call}`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return [await child.exited, out, err];
}

test("fail() says each reason in a line that steers no terminal", async () => {
  expect(await leftBy(`fail(["one\\u001b", "two"], 2)`)).toEqual([
    2,
    "",
    "lw-inference-proxy: one\\u001b\nlw-inference-proxy: two\n",
  ]);
});

test("exitWith() writes all of a text that is longer than a pipe holds", async () => {
  const call = `await exitWith({ code: 3, stdout: "x".repeat(1_000_000), stderr: "err" })`;
  const [code, out, err] = await leftBy(call);
  expect([code, out.length, err]).toEqual([3, 1_000_000, "err"]);
});

test("exitWith() writes nothing where there is nothing to say", async () => {
  expect(await leftBy("await exitWith({ code: 0 })")).toEqual([0, "", ""]);
});
