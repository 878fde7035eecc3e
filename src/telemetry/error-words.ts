/**
 * What an error is called in metrics: one word of a fixed list, or a status. Spans may have any code of the system's
 * there; a label must not, since each of its values is a series. Pure.
 */

/** The value for all errors that have no word of ours. */
const OTHER = "other";

const WORDS: ReadonlySet<string> = new Set([
  // What the proxy answers itself: the `error.code` of each of its errors.
  "invalid_handshake",
  "invalid_json",
  "model_required",
  "invalid_path",
  "not_found",
  "response_not_found",
  "model_not_found",
  "method_not_allowed",
  "model_search_limit",
  "unsupported_encoding",
  "upgrade_required",
  "backend_saturated",
  "internal_error",
  "backend_unreachable",
  "backend_draining",
  "backend_unavailable",
  "proxy_overloaded",
  "starting",
  "loop_detected",
  // What became of an answer, or of a call without one: see call-errors.ts.
  "client_gone",
  "upstream_broken_off",
  "drain_timeout",
  "connection_refused",
  "connection_reset",
  "connect_timeout",
  "upstream_failed",
  // How the server's container ended with it: see run-end.ts.
  "container_oom",
  "container_exit",
]);

const STATUS = /^\d{3}$/;
const ERROR_STATUS_MIN = 400;

/**
 * @param errorType as the SERVER span has it: it has none for a status below 500 of a server
 * @returns undefined if all is well
 */
export function errorWord(errorType: string | undefined, status: number): string | undefined {
  if (errorType === undefined) return status >= ERROR_STATUS_MIN ? String(status) : undefined;
  return WORDS.has(errorType) || STATUS.test(errorType) ? errorType : OTHER;
}
