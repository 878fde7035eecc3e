import { describe, expect, test } from "bun:test";
import {
  type Command,
  help,
  parseCommandLine,
  USAGE,
  wrongArgument,
} from "../../src/cli/arguments.ts";

describe("parseCommandLine()", () => {
  test.each<[args: readonly string[], command: Command]>([
    [[], { kind: "run" }],
    [["--version"], { kind: "version" }],
    [["-v"], { kind: "version" }],
    [["version"], { kind: "version" }],
    [["--help"], { kind: "help" }],
    [["-h"], { kind: "help" }],
    [["help"], { kind: "help" }],
    [["healthcheck"], { kind: "healthcheck" }],
    [["status"], { kind: "status", json: false }],
    [["status", "--json"], { kind: "status", json: true }],
    [["drain", "vllm-1"], { kind: "drain", container: "vllm-1", timeoutMs: 65_000 }],
    [["drain", "a", "--timeout", "1m30s"], { kind: "drain", container: "a", timeoutMs: 90_000 }],
    [["drain", "--timeout", "5s", "a"], { kind: "drain", container: "a", timeoutMs: 5_000 }],
    [["drain", "--timeout=0", "a"], { kind: "drain", container: "a", timeoutMs: 0 }],
    [["undrain", "vllm-1"], { kind: "undrain", container: "vllm-1" }],
    [["drain", "drain"], { kind: "drain", container: "drain", timeoutMs: 65_000 }],
  ])("parses %p", (args, command) => {
    expect(parseCommandLine(args)).toEqual(command);
  });

  test.each<[args: readonly string[], argument: string]>([
    [["serve"], "serve"],
    [["--json"], "--json"],
    [["--json", "status"], "--json"],
    [["status", "--yaml"], "--yaml"],
    [["status", "--json", "more"], "more"],
    [["healthcheck", "8080"], "8080"],
    [["--version", "--help"], "--help"],
    [["status --json"], "status --json"],
    [[""], ""],
    [["", "status"], ""],
    [["status", ""], ""],
    [["VERSION"], "VERSION"],
    [["constructor"], "constructor"],
    [["drain", "a", "b"], "b"],
    [["drain", "--all"], "--all"],
    [["drain", "a", "--timeout", "1s", "--timeout", "2s"], "--timeout"],
    [["drain", "--timeouts=1s", "a"], "--timeouts=1s"],
    [["undrain", "a", "--timeout", "1s"], "--timeout"],
    [["--json", "drain", "a"], "--json"],
  ])("refuses %p and returns the wrong argument", (args, argument) => {
    expect(parseCommandLine(args)).toEqual({ kind: "wrong", argument });
  });
});

test.each<[args: readonly string[], reason: string]>([
  [["drain"], "drain needs the name or the id of a container"],
  [["drain", ""], "drain needs the name or the id of a container"],
  [["undrain"], "undrain needs the name or the id of a container"],
  [["drain", "a", "--timeout"], "--timeout needs a duration like 500ms, 60s, 5m or 0"],
  [
    ["drain", "a", "--timeout", "60\u001b"],
    '--timeout is "60\\u001b": expected a duration like 500ms, 60s, 5m or 0',
  ],
  [
    ["drain", "a", "--timeout=10000h"],
    '--timeout is "10000h": expected a duration like 500ms, 60s, 5m or 0',
  ],
])("%p is refused with the reason", (args, reason) => {
  expect(parseCommandLine(args)).toEqual({ kind: "unusable", reason });
});

test("the parser knows every command of the usage", () => {
  const named = [...USAGE.matchAll(/^ {2}(-?-?\w+)(?: (NAME))?(?: \[(.+)\])?(?: |$)/gm)].flatMap(
    ([, command = "", name, options]) => {
      const args = [command, ...(name === undefined ? [] : [name])];
      return [args, ...(options === undefined ? [] : [[...args, ...options.split(" ")]])];
    },
  );
  expect(named).toHaveLength(8);
  for (const args of named) expect(parseCommandLine(args).kind).not.toBe("wrong");
});

test("help shows the meaning, the values and the default of each variable", () => {
  const text = help({
    A: { meaning: "how many", default: "1", expected: "a number" },
    LONG: { meaning: "what", default: "", expected: "x" },
  });
  const usage = USAGE.replace("(see --help)", "(listed below)");
  expect(usage).not.toBe(USAGE);
  expect(text).toBe(
    `${usage}\nEnvironment variables:\n\n  A\n      how many\n      a number; default: 1\n  LONG\n      what\n      x; default: none\n\nOpenTelemetry's variables (OTEL_…): see docs/telemetry.md\n`,
  );
});

test.each<[argument: string, meant: string | undefined]>([
  ["--jsn", "--json"],
  ["-json", "--json"],
  ["stats", "status"],
  ["undrian", "undrain"],
  ["--timout", "--timeout"],
  ["--json", undefined], // in the wrong place
  ["serve", undefined],
  ["", undefined],
])("the text for the wrong argument %p suggests %p", (argument, meant) => {
  const [line] = wrongArgument(argument).split("\n");
  const advice = meant === undefined ? "" : `; did you mean ${meant}?`;
  expect(line).toBe(`lw-inference-proxy: unexpected argument "${argument}"${advice}`);
});

test("a wrong argument is shown with escaped control characters", () => {
  expect(wrongArgument("a\u001b b")).toBe(
    `lw-inference-proxy: unexpected argument "a\\u001b b"\n\n${USAGE}`,
  );
});
