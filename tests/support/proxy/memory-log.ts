/** Stands in for standard output: a real log whose lines are kept for the test. */
import { createLog, type Log, type LogLevel } from "../../../src/telemetry/log.ts";

type LogLine = { readonly level: LogLevel; readonly message: string } & Readonly<
  Record<string, unknown>
>;

export type MemoryLog = Log & {
  readonly lines: readonly LogLine[];
  readonly count: (text: string) => number;
};

export function memoryLog(): MemoryLog {
  const lines: LogLine[] = [];
  const log = createLog({
    level: "debug",
    format: "json",
    write: (line) => lines.push(JSON.parse(line) as LogLine),
  });
  return {
    ...log,
    lines,
    count: (text) => lines.filter((line) => JSON.stringify(line).includes(text)).length,
  };
}
