/**
 * The errors that the proxy itself answers. Each case has one status and one body. Both the OpenAI SDKs (`error.code`,
 * `error.param`) and the Anthropic SDKs (`type`, `error.type`) can read the body. Decides nothing.
 */
import { printable, quoted } from "../../ground/printable.ts";

type Case = {
  readonly status: number;
  /** Anthropic's error type. */
  readonly type:
    | "invalid_request_error"
    | "not_found_error"
    | "rate_limit_error"
    | "overloaded_error"
    | "api_error";
  /** The request field that caused the error, if there is one. */
  readonly param: "model" | null;
};

const INVALID = "invalid_request_error";

export const ERRORS = {
  invalid_handshake: { status: 400, type: INVALID, param: null },
  invalid_json: { status: 400, type: INVALID, param: null },
  model_required: { status: 400, type: INVALID, param: "model" },
  invalid_path: { status: 400, type: INVALID, param: null },
  not_found: { status: 404, type: "not_found_error", param: null },
  response_not_found: { status: 404, type: "not_found_error", param: null },
  model_not_found: { status: 404, type: "not_found_error", param: "model" },
  method_not_allowed: { status: 405, type: INVALID, param: null },
  model_search_limit: { status: 413, type: INVALID, param: "model" },
  unsupported_encoding: { status: 415, type: INVALID, param: null },
  upgrade_required: { status: 426, type: INVALID, param: null },
  backend_saturated: { status: 429, type: "rate_limit_error", param: "model" },
  internal_error: { status: 500, type: "api_error", param: null },
  backend_unreachable: { status: 502, type: "api_error", param: null },
  backend_draining: { status: 503, type: "overloaded_error", param: "model" },
  backend_unavailable: { status: 503, type: "overloaded_error", param: null },
  proxy_overloaded: { status: 503, type: "overloaded_error", param: null },
  starting: { status: 503, type: "overloaded_error", param: "model" },
  loop_detected: { status: 508, type: "api_error", param: null },
} as const satisfies Record<string, Case>;

export type ErrorCode = keyof typeof ERRORS;

/** An error before it becomes a Response: see `errorResponse`. */
export type Refusal = { readonly code: ErrorCode; readonly message: string };

/** The code and message of each error Response, for telemetry and for code that rewords the error. */
const made = new WeakMap<
  Response,
  { readonly code: ErrorCode | "client_gone"; readonly message: string }
>();

const RETRY_AFTER_S = "1";
/** The protocol that a client must use instead (RFC 9110 §15.5.22). */
const PROTOCOL = "HTTP/1.1";
const MODEL_LENGTH_MAX = 256;

/**
 * @param message says what went wrong and what to do, and names no internal address. This function makes it printable,
 *   because clients show it on terminals
 */
export function errorResponse(code: ErrorCode, message: string): Response {
  const { status, type, param } = ERRORS[code];
  const headers = new Headers({ "content-type": "application/json" });
  if (status === 429 || status === 503) headers.set("retry-after", RETRY_AFTER_S);
  if (status === 405) headers.set("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  if (status === 426) {
    headers.set("upgrade", PROTOCOL);
    headers.set("connection", "Upgrade"); // RFC 9110 §7.8: the sender of Upgrade must list it in Connection
  }
  const body = { type: "error", error: { type, message: printable(message), param, code } };
  const response = new Response(JSON.stringify(body), { status, headers });
  made.set(response, { code, message });
  return response;
}

export function refuse({ code, message }: Refusal): Response {
  return errorResponse(code, message);
}

/** @returns undefined if the answer is not an error of the proxy */
export function errorCodeOf(response: Response): ErrorCode | "client_gone" | undefined {
  return made.get(response)?.code;
}

/** @returns undefined if the answer is not an error of the proxy */
export function messageOf(response: Response): string | undefined {
  return made.get(response)?.message;
}

/** There is no room for one more request. Also closes the connection, because it takes a descriptor. */
export function outOfDescriptors(cannot: "route" | "forward"): Response {
  const response = errorResponse(
    "proxy_overloaded",
    `Cannot ${cannot} the request: the proxy is out of file descriptors; try again shortly`,
  );
  response.headers.set("connection", "close");
  return response;
}

/** Allows web pages to read an answer of the proxy. */
export function readableByBrowsers(request: Request, response: Response): Response {
  if (request.headers.has("origin")) response.headers.set("access-control-allow-origin", "*");
  return response;
}

/** No client reads this answer, because the client is gone. nginx uses the status 499 for this case. */
export function clientGone(): Response {
  const response = new Response(null, { status: 499 });
  made.set(response, { code: "client_gone", message: "" });
  return response;
}

/** A model name for messages: in quotes, printable, and cut if it is long. */
export function quoteModel(model: string): string {
  return quoted(model, MODEL_LENGTH_MAX);
}
