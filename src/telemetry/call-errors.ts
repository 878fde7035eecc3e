/** Names the failure of a call to a backend for its span: one word, and a short text for people. Pure. */
import { errorCode } from "../ground/error-text.ts";
import { failureWords, isOfConnection, RUN_OVER } from "../ground/failure-words.ts";
import type { ReportEnd } from "./reporting.ts";
import type { CallEnd } from "./telemetry.ts";

export const BROKEN_OFF = "upstream_broken_off";

/** @returns undefined if the answer is complete */
export function wordOfBreak(
  { error, cancelled }: Pick<CallEnd, "error" | "cancelled">,
  abortReason: string | undefined,
): string | undefined {
  if (cancelled || abortReason === "client gone") return "client_gone";
  if (error === undefined) return undefined;
  return abortReason === "cut" ? "drain_timeout" : BROKEN_OFF;
}

/** Describes a call without an answer. Leaves out error messages, which may contain addresses. */
export function failureOf(
  error: unknown,
  abortReason: string | undefined,
): Pick<ReportEnd, "errorType" | "message"> {
  const byReason = abortReason === undefined ? undefined : BY_REASON[abortReason];
  if (byReason !== undefined) return { errorType: byReason, message: abortReason };
  const code = errorCode(error) ?? "upstream_failed";
  return { errorType: BY_CODE[code] ?? code, message: code };
}

const BY_REASON: Readonly<Record<string, string>> = {
  "client gone": "client_gone",
  "connect timed out": "connect_timeout",
  cut: "drain_timeout",
  "run-over": BROKEN_OFF,
};

const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection_refused",
  ECONNRESET: "connection_reset",
};

/** Why the proxy ended a call. */
const WORDS: Readonly<Record<string, string>> = {
  cut: "the drain timeout expired",
  "run-over": RUN_OVER,
};

/** Says why an answer broke off. */
export function wordsOfBreak(error: unknown, abortReason: string | undefined): string {
  if (abortReason !== undefined) return WORDS[abortReason] ?? abortReason;
  return error === undefined ? "client gone" : failureWords(error);
}

/** True if the call may have failed because its server has ended. */
export function mayHaveEnded(error: unknown, abortReason: string | undefined): boolean {
  if (abortReason === undefined) return isOfConnection(error);
  return abortReason === "run-over" || abortReason === "connect timed out";
}
