import { describe, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { launchEnvironment } from "../../src/process/launch.ts";

const CAP = "BUN_CONFIG_MAX_HTTP_REQUESTS";
const DEFAULTS = { BUN_JSC_thresholdForJITAfterWarmUp: "2000", MIMALLOC_PURGE_DELAY: "1000" };
const SCRIPT = fileURLToPath(import.meta.resolve("../support/process/relaunched.ts"));

describe("launchEnvironment()", () => {
  test.each(["1", "256", "65534", "65535", "00256"])("accepts a cap of %p", (cap) => {
    expect(launchEnvironment({ [CAP]: cap, PATH: "/bin" })).toBeUndefined();
  });

  test.each([
    undefined,
    "",
    "0",
    "00000",
    "65536",
    "70000",
    "100000",
    "-1",
    "1e4",
    " 1",
    "x",
    "1.5",
  ])("replaces a cap of %p and keeps the other variables", (cap) => {
    const env = launchEnvironment({ [CAP]: cap, PATH: "/bin", EMPTY: "", GONE: undefined });
    expect(env).toEqual({ ...DEFAULTS, [CAP]: "65535", PATH: "/bin", EMPTY: "" });
  });

  test("does not override settings of JavaScriptCore and the allocator", () => {
    const set = { BUN_JSC_thresholdForJITAfterWarmUp: "7", MIMALLOC_PURGE_DELAY: "0" };
    expect(launchEnvironment(set)).toEqual({ ...set, [CAP]: "65535" });
  });

  test("accepts its own result, so the process does not restart forever", () => {
    expect(launchEnvironment(launchEnvironment({}) ?? {})).toBeUndefined();
  });
});

describe("relaunchIfNeeded()", () => {
  test.each<[cap: string | undefined, after: string]>([
    [undefined, "65535"],
    ["70000", "65535"],
    ["300", "300"],
  ])("changes a cap of %p to %s in the same process", async (cap, after) => {
    const child = Bun.spawn([process.execPath, "--smol", SCRIPT, "--flag", "a b"], {
      env: { ...process.env, [CAP]: cap, KEPT: "x=y" },
      stdin: new Blob(["input"]),
      stdout: "pipe",
    });
    expect(JSON.parse(await child.stdout.text())).toEqual({
      pid: child.pid,
      args: ["--flag", "a b"],
      execArgv: ["--smol"],
      cap: after,
      kept: "x=y",
      input: "input",
    });
    expect(await child.exited).toBe(0);
  });
});
