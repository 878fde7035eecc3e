/** `BrokenAnswers` with a log in memory and a backend, and the errors and ends that tests report to it. */
import {
  type Broken,
  BrokenAnswers,
  type BrokenAnswersInit,
} from "../../../src/proxy/broken-answers.ts";
import type { Backend } from "../../../src/routing/backend.ts";
import type { RunEnd } from "../../../src/routing/run.ts";
import { makeBackend } from "../server/backends.ts";
import { until } from "../until.ts";
import { type MemoryLog, memoryLog } from "./memory-log.ts";

export const OOM: RunEnd = {
  kind: "out of memory",
  brief: "ran out of memory",
  reason: "ran out of memory (exit code 137)",
};
export const BROKE_OFF = "answers broken off";
export const FAILED = "requests failed";
export const ENDED_EARLY = "websockets broken off";
/** Longer than any test, in ms. */
export const LONG = 1_000_000;

export function coded(code: string): Error {
  return Object.assign(new TypeError(`${code}: pass verbose: true`), { code });
}

export const BROKEN: Broken = {
  what: "answer",
  model: "m",
  error: coded("ECONNRESET"),
  abortReason: undefined,
  afterMs: 41_400,
};
export const REFUSED: Broken = {
  what: "request",
  model: "m",
  error: coded("ECONNREFUSED"),
  abortReason: undefined,
};
export const SOCKET: Broken = { ...BROKEN, what: "websocket" };

export type Rig = {
  readonly log: MemoryLog;
  readonly broken: BrokenAnswers;
  readonly backend: Backend;
  /** The lines so far, without level and time. */
  readonly told: () => readonly object[];
};

export function rig(init: Omit<BrokenAnswersInit, "log"> = {}): Rig {
  const log = memoryLog();
  const backend = makeBackend({ name: "vllm-1" });
  const told = (): readonly object[] =>
    log.lines.map(({ time: _time, level: _level, ...line }) => line);
  return { log, backend, told, broken: new BrokenAnswers({ log, gatherMs: 0, ...init }) };
}

export async function reasonOf(at: Rig): Promise<unknown> {
  await until("the log has a line", () => at.log.lines.length > 0);
  return at.log.lines.at(-1)?.["reason"];
}
