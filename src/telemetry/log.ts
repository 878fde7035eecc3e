/**
 * The log: what changed and why, never a line for each request. It writes JSON lines, or readable text for a
 * terminal. It escapes control characters and limits the length of each value. Callers cut texts from outside
 * earlier; the limits here hold if a caller forgets. Does not know where lines go.
 */
import { printable } from "../ground/printable.ts";
import type { LogEvent } from "./log-events.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Names are in snake_case, values are JSON. */
type Fields = Readonly<Record<string, unknown>>;

export type Log = Readonly<Record<LogLevel, (event: LogEvent, fields?: Fields) => void>>;

export type LogInit = {
  /** Lines below this level are left out. */
  readonly level: LogLevel;
  readonly format: "json" | "text";
  /** Gets one line with its line feed. */
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
  const line = { time, level, message: cut(message), ...boundedFields(fields) };
  return `${printable(JSON.stringify(line))}\n`;
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
  const rest = Object.entries(boundedFields(fields)).map(
    ([name, value]) => ` ${DIM}${printable(name)}=${RESET}${show(value)}`,
  );
  return `${DIM}${time}${RESET} ${word} ${printable(cut(message))}${rest.join("")}\n`;
}

function show(value: unknown): string {
  if (typeof value === "string" && /^[\w.:/@+-]+$/.test(value)) return value;
  return printable(JSON.stringify(value) ?? String(value));
}

/** The most UTF-16 code units of a string. */
const LENGTH_MAX = 4_096;
/** The most elements of an array, or members of an object. */
const ENTRIES_MAX = 100;
/** How deep arrays and objects may be nested. */
const DEPTH_MAX = 8;

/** Cuts values that are too long or too deep. `…` marks a cut. */
function bounded(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return cut(value);
  if (typeof value !== "object" || value === null || "toJSON" in value) return value;
  if (depth >= DEPTH_MAX) return "…";
  return Array.isArray(value) ? boundedArray(value, depth) : boundedFields(value, depth);
}

function boundedArray(all: readonly unknown[], depth: number): readonly unknown[] {
  const kept = all.slice(0, ENTRIES_MAX).map((one) => bounded(one, depth + 1));
  return all.length > ENTRIES_MAX ? [...kept, `… ${all.length - ENTRIES_MAX} more`] : kept;
}

function boundedFields(fields: object, depth = 0): Fields {
  const all = Object.entries(fields);
  const kept = all
    .slice(0, ENTRIES_MAX)
    .map(([name, value]): [string, unknown] => [cut(name), bounded(value, depth + 1)]);
  if (all.length > ENTRIES_MAX) kept.push(["…", `${all.length - ENTRIES_MAX} more`]);
  return Object.fromEntries(kept);
}

function cut(text: string): string {
  if (text.length <= LENGTH_MAX) return text;
  return `${text.slice(0, LENGTH_MAX)}… (${text.length - LENGTH_MAX} more)`;
}
