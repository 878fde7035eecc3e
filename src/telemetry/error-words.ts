/**
 * The names of errors in metrics: a word of a fixed list, or a status. Spans may also have any system code. A
 * label must not, because each of its values is a new series. Pure.
 */

/** The value for all errors outside the list. */
const OTHER = "other";

const WORDS: ReadonlySet<string> = new Set([
  // The `error.code` of each error answer of the proxy.
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
  // How an answer, or a call without an answer, ended: see call-errors.ts.
  "client_gone",
  "upstream_broken_off",
  "drain_timeout",
  "connection_refused",
  "connection_reset",
  "connect_timeout",
  "upstream_failed",
  // How the server's container ended: see run-end.ts.
  "container_oom",
  "container_exit",
]);

const STATUS = /^\d{3}$/;
const ERROR_STATUS_MIN = 400;

/**
 * @param errorType the value in the SERVER span; undefined there for a server's status below 500
 * @returns undefined without an error
 */
export function errorWord(errorType: string | undefined, status: number): string | undefined {
  if (errorType === undefined) return status >= ERROR_STATUS_MIN ? String(status) : undefined;
  return WORDS.has(errorType) || STATUS.test(errorType) ? errorType : OTHER;
}
