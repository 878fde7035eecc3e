import { describe, expect, test } from "bun:test";
import {
  ERRORS,
  type ErrorCode,
  errorResponse,
  quoteModel,
} from "../../../src/proxy/own/errors.ts";

/** The contract: code and status of every case, Anthropic's error type, and the field that caused the error. */
const CASES: readonly [code: ErrorCode, status: number, type: string, param: "model" | null][] = [
  ["invalid_handshake", 400, "invalid_request_error", null],
  ["invalid_json", 400, "invalid_request_error", null],
  ["model_required", 400, "invalid_request_error", "model"],
  ["invalid_path", 400, "invalid_request_error", null],
  ["not_found", 404, "not_found_error", null],
  ["model_not_found", 404, "not_found_error", "model"],
  ["method_not_allowed", 405, "invalid_request_error", null],
  ["model_search_limit", 413, "invalid_request_error", "model"],
  ["unsupported_encoding", 415, "invalid_request_error", null],
  ["upgrade_required", 426, "invalid_request_error", null],
  ["backend_saturated", 429, "rate_limit_error", "model"],
  ["internal_error", 500, "api_error", null],
  ["backend_unreachable", 502, "api_error", null],
  ["backend_draining", 503, "overloaded_error", "model"],
  ["response_not_found", 404, "not_found_error", null],
  ["backend_unavailable", 503, "overloaded_error", null],
  ["proxy_overloaded", 503, "overloaded_error", null],
  ["starting", 503, "overloaded_error", "model"],
  ["loop_detected", 508, "api_error", null],
];

describe("errorResponse()", () => {
  test("has a case below for every code", () => {
    expect(CASES.map(([code]) => code).sort()).toEqual((Object.keys(ERRORS) as ErrorCode[]).sort());
  });

  test.each(CASES)(
    "%s is a %d that the SDKs of OpenAI and Anthropic can read",
    async (code, status, type, param) => {
      const response = errorResponse(code, "Cannot do it");
      expect(response.status).toBe(status);
      expect(response.headers.get("content-type")).toBe("application/json");
      expect(await response.json()).toEqual({
        type: "error", // Anthropic: the envelope
        error: { type, message: "Cannot do it", param, code }, // both; param and code are OpenAI's
      });
    },
  );

  test.each(CASES)("%s (%d) has Retry-After only if it is a 429 or a 503", (code, status) => {
    const { headers } = errorResponse(code, "Cannot do it");
    expect(headers.get("retry-after")).toBe(status === 429 || status === 503 ? "1" : null);
  });

  test.each(CASES)("%s (%d) has Allow only if it is a 405", (code, status) => {
    const { headers } = errorResponse(code, "Cannot do it");
    const allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    expect(headers.get("allow")).toBe(status === 405 ? allowed : null);
  });

  test.each(CASES)("%s (%d) has Upgrade only if it is a 426", (code, status) => {
    const { headers } = errorResponse(code, "Cannot do it");
    const [protocol, connection] = status === 426 ? ["HTTP/1.1", "Upgrade"] : [null, null];
    expect([headers.get("upgrade"), headers.get("connection")]).toEqual([protocol, connection]);
  });

  test("escapes characters that would break the JSON or control a terminal", async () => {
    const message = 'model "\\\n\u0000é😀';
    const body = (await errorResponse("model_not_found", message).json()) as {
      readonly error: { readonly message: string };
    };
    expect(body.error.message).toBe('model "\\\\u000a\\u0000é😀');
  });
});

describe("quoteModel()", () => {
  test.each<[model: string, quoted: string]>([
    ["llama", '"llama"'],
    ["", '""'],
    ['a"b\nc', '"a\\"b\\nc"'],
    ["x".repeat(256), `"${"x".repeat(256)}"`],
    ["x".repeat(257), `"${"x".repeat(256)}…"`],
    [`${"x".repeat(255)}😀`, `"${"x".repeat(255)}\\ud83d…"`],
  ])("quotes %p", (model, quoted) => {
    expect(quoteModel(model)).toBe(quoted);
  });
});
