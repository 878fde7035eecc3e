import { describe, expect, test } from "bun:test";
import {
  type Circumstances,
  type Failure,
  failureOf,
  failureResponse,
} from "../../src/proxy/failure.ts";

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}

const REFUSED = coded("ECONNREFUSED");
const RESET = coded("ECONNRESET");
const BEST: Circumstances = { abortReason: undefined, mayBeStale: true };

describe("failureOf()", () => {
  test.each<[what: string, error: unknown, but: Partial<Circumstances>, kind: Failure["kind"]]>([
    ["a refused connection", REFUSED, {}, "connection refused"],
    ["one on a fresh connection", REFUSED, { mayBeStale: false }, "connection refused"],
    ["one that the client has ended", REFUSED, { abortReason: "client gone" }, "failed"],
    ["a host that is not there", coded("EHOSTUNREACH"), {}, "not connected"],
    ["no network to it", coded("ENETUNREACH"), {}, "not connected"],
    ["a kernel that has given up", coded("ETIMEDOUT"), {}, "not connected"],
    ["a connection that hangs", RESET, { abortReason: "connect timed out" }, "unreachable"],
    ["an early reset of a used connection", RESET, {}, "stale connection"],
    ["a reset of a fresh one, or a late one", RESET, { mayBeStale: false }, "died"],
    ["a drain that was cut", RESET, { abortReason: "cut" }, "died"],
    ["a run that is over", RESET, { abortReason: "run-over" }, "died"],
    ["anything else", coded("Malformed_HTTP_Response"), {}, "failed"],
    ["no descriptors", coded("EMFILE"), {}, "failed"],
    ["what is no error", "reset", {}, "failed"],
  ])("%s: %p", (_what, error, but, kind) => {
    const circumstances = { ...BEST, ...but };
    const { abortReason } = circumstances;
    expect(failureOf(error, circumstances)).toEqual({ kind, error, abortReason });
  });
});

describe("failureResponse()", () => {
  test.each<[what: string, failure: Partial<Failure>, status: number, says: string]>([
    ["a server that is not there", {}, 502, 'the server of model \\"m\\" did not answer'],
    ["a drain that was cut", { abortReason: "cut" }, 502, "was stopped before it answered"],
    ["a run that is over", { abortReason: "run-over" }, 502, "was stopped before it answered"],
    ["a connection that hangs", { abortReason: "connect timed out" }, 502, "did not answer"],
    ["no descriptors", { error: coded("EMFILE") }, 503, "out of file descriptors"],
    ["a client that has left", { abortReason: "client gone" }, 499, ""],
    [
      "one that left with no descriptors",
      { abortReason: "client gone", error: coded("EMFILE") },
      499,
      "",
    ],
  ])("for %s", async (_what, but, status, says) => {
    const failure: Failure = { kind: "failed", error: RESET, abortReason: undefined, ...but };
    const response = failureResponse(failure, "m");
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(says);
  });

  test("names no model where the request has named none", async () => {
    const failure: Failure = { kind: "failed", error: RESET, abortReason: undefined };
    expect(await failureResponse(failure, undefined).text()).toContain(
      "Cannot forward the request: the server did not answer",
    );
  });
});
