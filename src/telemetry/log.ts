/** The log: what changed and why, never a line a request. JSON lines, or readable text for a terminal. */

import { printable } from "../ground/printable.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Field names are snake_case, values JSON. */
type Fields = Readonly<Record<string, unknown>>;

export type Log = Readonly<Record<LogLevel, (message: string, fields?: Fields) => void>>;

export type LogInit = {
  /** The least level that is written. */
  readonly level: LogLevel;
  readonly format: "json" | "text";
  /** Takes one line with its line feed. */
  readonly write: (line: string) => void;
};

export function createLog({ level, format, write }: LogInit): Log {
  const least = LOG_LEVELS.indexOf(level);
  const render = format === "json" ? renderJson : renderText;
  const at = (name: LogLevel, index: number): Log[LogLevel] =>
    index < least
      ? () => undefined
      : (message, fields = {}) => write(render(name, message, fields));
  return { debug: at("debug", 0), info: at("info", 1), warn: at("warn", 2), error: at("error", 3) };
}

function renderJson(level: LogLevel, message: string, fields: Fields): string {
  const time = new Date().toISOString();
  return `${JSON.stringify({ time, level, message, ...fields })}\n`;
}

const COLORS: Readonly<Record<LogLevel, string>> = {
  debug: "\x1b[2m",
  info: "\x1b[32m",
  warn: "\x1b[33m",
  error: "\x1b[31m",
};
const DIM = "\x1b[2m";
const RESET = "\x1b[0m";

function renderText(level: LogLevel, message: string, fields: Fields): string {
  const time = new Date().toTimeString().slice(0, 8);
  const word = `${COLORS[level]}${level.toUpperCase().padEnd(5)}${RESET}`;
  const rest = Object.entries(fields).map(
    ([name, value]) => ` ${DIM}${name}=${RESET}${show(value)}`,
  );
  return `${DIM}${time}${RESET} ${word} ${printable(message)}${rest.join("")}\n`;
}

function show(value: unknown): string {
  if (typeof value === "string" && /^[\w.:/@+-]+$/.test(value)) return value;
  return printable(JSON.stringify(value) ?? String(value));
}
