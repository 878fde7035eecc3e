import { expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { within } from "../support/until.ts";

const FILE = fileURLToPath(import.meta.resolve("../../src/process/stop-signals.ts"));

/** Writes a line when it is ready for signals, and one with the first signal. Runs until killed. */
const SCRIPT = `
  const { firstStopSignal } = await import(${JSON.stringify(FILE)});
  const first = firstStopSignal();
  console.log("ready");
  console.log(await first);
  setInterval(() => undefined, 1_000);`;

test.each([
  ["SIGTERM", "SIGINT"],
  ["SIGINT", "SIGINT"],
] as const)("after %s it lives on, and %s then ends it at once", async (first, second) => {
  const child = Bun.spawn([process.execPath, "-e", SCRIPT], { stdout: "pipe" });
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const next = async (what: string): Promise<string | undefined> =>
    (await within(what, lines.read(), 10_000)).value;
  expect(await next("its start")).toBe("ready\n");
  child.kill(first);
  expect(await next("the first signal")).toBe(`${first}\n`);
  child.kill(second);
  expect(await within("its end", child.exited)).toBe(1);
});
