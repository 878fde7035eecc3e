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
    [["--help"], { kind: "help" }],
    [["-h"], { kind: "help" }],
    [["healthcheck"], { kind: "healthcheck" }],
    [["status"], { kind: "status", json: false }],
    [["status", "--json"], { kind: "status", json: true }],
  ])("knows %p", (args, command) => {
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
  ])("has no %p, and says which argument is wrong", (args, argument) => {
    expect(parseCommandLine(args)).toEqual({ kind: "wrong", argument });
  });
});

test("every command of the usage is one", () => {
  const named = [...USAGE.matchAll(/^ {2}(-?-?\w+)(?: \[(.+)\])? /gm)].flatMap(
    ([, command = "", option]) => [[command], ...(option === undefined ? [] : [[command, option]])],
  );
  expect(named).toHaveLength(5);
  for (const args of named) expect(parseCommandLine(args).kind).not.toBe("wrong");
});

test("help has each variable with its default", () => {
  const text = help({
    A: { default: "1", expected: "a number" },
    LONG: { default: "", expected: "x" },
  });
  expect(text).toBe(`${USAGE}\n  A     a number; default 1\n  LONG  x; default none\n`);
});

test("a wrong argument is shown so that nothing in it is hidden", () => {
  expect(wrongArgument("a\u001b b")).toBe(
    `lw-inference-proxy: there is no argument "a\\u001b b" here\n\n${USAGE}`,
  );
});
