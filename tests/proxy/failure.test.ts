import { describe, expect, test } from "bun:test";
import {
  type Circumstances,
  type Failure,
  failureOf,
  failureResponse,
  isUnreachable,
} from "../../src/proxy/failure.ts";
import { Ending } from "../../src/routing/ending.ts";
import { within } from "../support/until.ts";

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}

const REFUSED = coded("ECONNREFUSED");
const RESET = coded("ECONNRESET");
const ending = new Ending();
const BEST: Circumstances = { abortReason: undefined, mayBeStale: true, ending };

describe("failureOf()", () => {
  test.each<[what: string, error: unknown, but: Partial<Circumstances>, kind: Failure["kind"]]>([
    ["a refused connection", REFUSED, {}, "connection refused"],
    ["a refused fresh connection", REFUSED, { mayBeStale: false }, "connection refused"],
    ["a connection that the client ended", REFUSED, { abortReason: "client gone" }, "failed"],
    ["an unreachable host", coded("EHOSTUNREACH"), {}, "not connected"],
    ["an unreachable network", coded("ENETUNREACH"), {}, "not connected"],
    ["a connect timeout of the kernel", coded("ETIMEDOUT"), {}, "not connected"],
    ["a connection that hangs", RESET, { abortReason: "connect timed out" }, "unreachable"],
    ["an early reset of a reused connection", RESET, {}, "stale connection"],
    ["a late reset, or one of a fresh connection", RESET, { mayBeStale: false }, "died"],
    ["a drain that was cut", RESET, { abortReason: "cut" }, "died"],
    ["a run that is over", RESET, { abortReason: "run-over" }, "died"],
    ["any other error", coded("Malformed_HTTP_Response"), {}, "failed"],
    ["no file descriptors", coded("EMFILE"), {}, "failed"],
    ["a thrown value that is no error", "reset", {}, "failed"],
  ])("%s: %p", (_what, error, but, kind) => {
    const circumstances = { ...BEST, ...but };
    const { abortReason } = circumstances;
    expect(failureOf(error, circumstances)).toEqual({ kind, error, abortReason, ending });
  });
});

/** Longer than any test takes, ms. */
const LONG = 1_000_000;

function failure(but: Partial<Failure> = {}): Failure {
  return { kind: "died", error: RESET, abortReason: undefined, ending: new Ending(), ...but };
}

function endingWith(brief: string): Ending {
  const over = new Ending();
  over.ended({ kind: "out of memory", brief, reason: `${brief} (exit code 137)` });
  return over;
}

describe("failureResponse()", () => {
  test.each<[what: string, failure: Partial<Failure>, status: number, says: string]>([
    ["a missing server", {}, 502, 'the server of model \\"m\\" did not answer'],
    ["a drain that was cut", { abortReason: "cut" }, 502, "was stopped before it answered"],
    ["a run that is over", { abortReason: "run-over" }, 502, "was stopped before it answered"],
    ["a connection that hangs", { abortReason: "connect timed out" }, 502, "did not answer"],
    ["no file descriptors", { error: coded("EMFILE") }, 503, "out of file descriptors"],
    ["a client that has left", { abortReason: "client gone" }, 499, ""],
    [
      "a client that has left, and no file descriptors",
      { abortReason: "client gone", error: coded("EMFILE") },
      499,
      "",
    ],
  ])("for %s", async (_what, but, status, says) => {
    const response = await failureResponse(failure(but), { model: "m" }, 0);
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(says);
  });

  test("names no model if the request names none", async () => {
    expect(await (await failureResponse(failure(), { model: undefined }, 0)).text()).toContain(
      "Cannot forward the request: the server did not answer; its log may say why",
    );
  });

  test.each<[what: string, but: Partial<Failure>]>([
    ["died", {}],
    ["refuses connections", { kind: "connection refused", error: REFUSED }],
    ["can't be reached", { kind: "not connected", error: coded("EHOSTUNREACH") }],
    ["does not connect", { kind: "unreachable", abortReason: "connect timed out" }],
    ["closed a reused connection", { kind: "stale connection" }],
    ["has stopped", { abortReason: "run-over" }],
  ])("names a known end of the run at once when the server %s", async (_what, but) => {
    const over = endingWith("ran out of memory");
    const response = failureResponse(failure({ ...but, ending: over }), { model: "m" }, LONG);
    expect(await (await within("the answer", response)).text()).toContain(
      'Cannot forward the request: the server of model \\"m\\" ran out of memory before it answered',
    );
  });

  test("waits until the run's end is known", async () => {
    const late = new Ending();
    const response = failureResponse(failure({ ending: late }), { model: "m" }, LONG);
    late.ended({ kind: "killed", brief: "was killed", reason: "was killed (exit code 137)" });
    expect(await (await within("the answer", response)).text()).toContain(
      "was killed before it answered",
    );
  });

  test.each<[what: string, but: Partial<Failure>, says: string]>([
    ["does not answer in HTTP", { kind: "failed", error: coded("Malformed") }, "did not answer"],
    ["declined", { kind: "failed", ending: undefined }, "did not answer"],
    ["was cut", { abortReason: "cut" }, "was stopped before it answered"],
  ])("does not wait when the server %s", async (_what, but, says) => {
    const response = failureResponse(failure(but), { model: "m" }, LONG);
    expect(await (await within("the answer", response)).text()).toContain(says);
  });
});

test("isUnreachable() is true only for failures without a connection", () => {
  const kinds = ["connection refused", "not connected", "unreachable"] as const;
  expect(kinds.map(isUnreachable)).toEqual([true, true, true]);
  expect((["stale connection", "died", "failed"] as const).some(isUnreachable)).toBe(false);
});
