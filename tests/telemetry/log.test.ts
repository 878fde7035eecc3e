import { describe, expect, test } from "bun:test";
import { createLog, LOG_LEVELS, type LogInit, type LogLevel } from "../../src/telemetry/log.ts";

/** The log, for any message: only these tests write others than those of LOG_EVENTS. */
type AnyLog = Readonly<Record<LogLevel, (message: string, fields?: object) => void>>;

function written(init: Partial<LogInit>, say: (log: AnyLog) => void): readonly string[] {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  say(createLog({ level: "debug", format: "json", write, ...init }) as AnyLog);
  return lines;
}

/** One text line without colours. */
function plainText(message: string, fields?: Record<string, unknown>): string {
  const [line] = written({ format: "text" }, (log) => log.info(message, fields));
  return Bun.stripANSI(line!);
}

describe("createLog() as JSON", () => {
  test("writes one object per line: time, level, message, fields", () => {
    const [line, ...more] = written({}, (log) =>
      log.warn("container ignored", { container: "vllm-1", bytes: 5, models: ["a"], none: null }),
    );
    expect(more).toEqual([]);
    expect(line).toEndWith("}\n");
    const { time, ...rest } = JSON.parse(line!);
    expect(new Date(time).toISOString()).toBe(time);
    expect(Math.abs(Date.now() - Date.parse(time))).toBeLessThan(5_000);
    expect(rest).toEqual({
      level: "warn",
      message: "container ignored",
      container: "vllm-1",
      bytes: 5,
      models: ["a"],
      none: null,
    });
    expect(Object.keys(JSON.parse(line!)).slice(0, 3)).toEqual(["time", "level", "message"]);
  });

  test("keeps a line on one line, whatever it contains", () => {
    const nasty = 'a\nb\r\n{"level":"error"}\u001b[2J\u0000"';
    const [line] = written({}, (log) => log.info(nasty, { [nasty]: nasty }));
    expect(line!.match(/[\n\r]/g)).toEqual(["\n"]);
    expect(line).not.toContain("\u001b");
    expect(JSON.parse(line!)).toMatchObject({ level: "info", message: nasty, [nasty]: nasty });
  });
});

describe("createLog() by level", () => {
  test.each<[level: LogLevel, written: readonly LogLevel[]]>([
    ["debug", ["debug", "info", "warn", "error"]],
    ["info", ["info", "warn", "error"]],
    ["warn", ["warn", "error"]],
    ["error", ["error"]],
  ])("%s writes %p", (level, expected) => {
    for (const format of ["json", "text"] as const) {
      const lines = written({ level, format }, (log) => {
        for (const name of LOG_LEVELS) log[name](`said at ${name}`);
      });
      expect(lines.map((line) => /said at (\w+)/.exec(line)?.[1] as LogLevel)).toEqual([
        ...expected,
      ]);
    }
  });
});

describe("createLog() as text", () => {
  test("writes time of day, level, message and fields", () => {
    expect(plainText("model admitted", { model: "llama", count: 2 })).toMatch(
      /^\d\d:\d\d:\d\d INFO {2}model admitted model=llama count=2\n$/,
    );
  });

  test("names each level", () => {
    const lines = written({ format: "text" }, (log) => {
      for (const name of LOG_LEVELS) log[name]("x");
    });
    expect(lines.map((line) => Bun.stripANSI(line).split(" ")[1])).toEqual([
      "DEBUG",
      "INFO",
      "WARN",
      "ERROR",
    ]);
  });

  test.each<[value: unknown, shown: string]>([
    ["plain", "plain"],
    ["http://10.0.0.1:8000/v1", "http://10.0.0.1:8000/v1"],
    ["", '""'],
    ["a b", '"a b"'],
    ["a=b", '"a=b"'],
    ['a"b', '"a\\"b"'],
    ["a\nb", '"a\\nb"'],
    [5, "5"],
    [true, "true"],
    [null, "null"],
    [["a", "b"], '["a","b"]'],
    [{ a: 1 }, '{"a":1}'],
    [undefined, "undefined"],
  ])("shows %p as %s", (value, shown) => {
    expect(plainText("x", { field: value })).toEndWith(` x field=${shown}\n`);
  });

  test.each([
    "\u001b[2Jmodel",
    "a\u0007",
    "a\u0008b",
    "\u007f",
    "\u009b2J",
    "a \u009b2J",
    "\u202ea",
    "\u2028",
  ])("writes no control character of a value to the terminal: %p", (value) => {
    // The log shows model names from clients. The terminal executed escape sequences in them.
    const [line] = written({ format: "text" }, (log) => log.warn("x", { model: value }));
    const [, shown] = line!.replace("\u001b[0m", "").split("model=\u001b[0m");
    expect(shown).toEndWith("\n");
    expect(shown!.slice(0, -1)).not.toMatch(/[\p{Cc}\u202e\u2028]/u);
  });
});

describe("createLog() cuts long values", () => {
  const cases: readonly [what: string, value: unknown, kept: unknown][] = [
    ["not a string of 4,096 characters", "x".repeat(4_096), "x".repeat(4_096)],
    ["a string of 4,097", "x".repeat(4_097), `${"x".repeat(4_096)}… (1 more)`],
    ["not an array of 100", Array(100).fill(1), Array(100).fill(1)],
    ["an array of 103", Array(103).fill(1), [...Array(100).fill(1), "… 3 more"]],
    [
      "strings in arrays and objects",
      [{ a: ["y".repeat(5_000)] }],
      [{ a: [`${"y".repeat(4_096)}… (904 more)`] }],
    ],
    ["deeply nested values", nested(1_000), nested(8, "…")],
  ];

  test.each(cases)("%s", (_what, value, kept) => {
    const [line] = written({}, (log) => log.info("x", { value }));
    const { value: shown } = JSON.parse(line!) as { readonly value: unknown };
    expect(shown).toEqual(kept);
  });

  test("names, too many names, and messages, as JSON and as text", () => {
    const names = Array.from({ length: 150 }, (_, index) => [`f${index}`, index] as const);
    const fields = Object.fromEntries([["n".repeat(9_000), 1], ...names]);
    for (const format of ["json", "text"] as const) {
      const [line] = written({ format }, (log) => log.info("m".repeat(9_000), fields));
      expect(line!.length).toBeWithin(8_000, 16_000);
      expect(line).toContain("… (4904 more)");
      expect(line).toContain("51 more");
      expect(line).not.toContain("f99");
    }
  });

  test("but does not change values with toJSON()", () => {
    const at = new Date(0);
    expect(plainText("x", { at, off: false })).toEndWith(` at="${at.toJSON()}" off=false\n`);
  });
});

/** Nested arrays. */
function nested(depth: number, innermost: unknown = []): unknown {
  let value = innermost;
  for (let level = 1; level < depth; level += 1) value = [value];
  return value;
}
