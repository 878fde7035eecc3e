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
    expect(failureOf(error, circumstances)).toEqual({ kind, error, abortReason, ending });
  });
});

/** More than any test takes, ms. */
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
    const response = await failureResponse(failure(but), { model: "m" }, 0);
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(says);
  });

  test("names no model where the request has named none", async () => {
    expect(await (await failureResponse(failure(), { model: undefined }, 0)).text()).toContain(
      "Cannot forward the request: the server did not answer; its log may say why",
    );
  });

  test.each<[what: string, but: Partial<Failure>]>([
    ["died", {}],
    ["refuses connections", { kind: "connection refused", error: REFUSED }],
    ["can't be reached", { kind: "not connected", error: coded("EHOSTUNREACH") }],
    ["does not connect", { kind: "unreachable", abortReason: "connect timed out" }],
    ["closed a used connection", { kind: "stale connection" }],
    ["is over", { abortReason: "run-over" }],
  ])("tells at once how a run has ended whose server %s", async (_what, but) => {
    const over = endingWith("ran out of memory");
    const response = failureResponse(failure({ ...but, ending: over }), { model: "m" }, LONG);
    expect(await (await within("the answer", response)).text()).toContain(
      'Cannot forward the request: the server of model \\"m\\" ran out of memory before it answered',
    );
  });

  test("waits until it is told how the run has ended", async () => {
    const late = new Ending();
    const response = failureResponse(failure({ ending: late }), { model: "m" }, LONG);
    late.ended({ kind: "killed", brief: "was killed", reason: "was killed (exit code 137)" });
    expect(await (await within("the answer", response)).text()).toContain(
      "was killed before it answered",
    );
  });

  test.each<[what: string, but: Partial<Failure>, says: string]>([
    ["answers what is no HTTP", { kind: "failed", error: coded("Malformed") }, "did not answer"],
    ["has declined", { kind: "failed", ending: undefined }, "did not answer"],
    ["was cut", { abortReason: "cut" }, "was stopped before it answered"],
  ])("waits for nothing where the server %s", async (_what, but, says) => {
    const response = failureResponse(failure(but), { model: "m" }, LONG);
    expect(await (await within("the answer", response)).text()).toContain(says);
  });
});

test("isUnreachable() is true of what was never connected, and of nothing that a server may have had", () => {
  const kinds = ["connection refused", "not connected", "unreachable"] as const;
  expect(kinds.map(isUnreachable)).toEqual([true, true, true]);
  expect((["stale connection", "died", "failed"] as const).some(isUnreachable)).toBe(false);
});
