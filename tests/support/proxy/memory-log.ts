/** Stands in for standard output: a real log whose lines are kept for the test. */
import { createLog, type Log, type LogLevel } from "../../../src/telemetry/log.ts";
import { expectListed } from "./log-event.ts";

type LogLine = { readonly level: LogLevel; readonly message: string } & Readonly<
  Record<string, unknown>
>;

export type MemoryLog = Log & {
  readonly lines: readonly LogLine[];
  /** The same as they were written, each without its line feed. */
  readonly written: readonly string[];
  readonly count: (text: string) => number;
};

export function memoryLog(): MemoryLog {
  const [lines, written] = [[] as LogLine[], [] as string[]];
  const log = createLog({
    level: "debug",
    format: "json",
    write: (line) => {
      const parsed = JSON.parse(line) as LogLine;
      expectListed(parsed);
      lines.push(parsed);
      written.push(line.slice(0, -1));
    },
  });
  return {
    ...log,
    lines,
    written,
    count: (text) => lines.filter((line) => JSON.stringify(line).includes(text)).length,
  };
}
