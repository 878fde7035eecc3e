import { describe, expect, test } from "bun:test";
import { type Attempt, type Client, Exchange, type Upload } from "../../src/proxy/exchange.ts";
import { splitTarget } from "../../src/proxy/target.ts";
import type { Backend } from "../../src/routing/backend.ts";
import type { CallReport, RequestReport } from "../../src/telemetry/telemetry.ts";
import { type Random, seededRandom } from "../support/client/random-json.ts";
import { ENDLESS } from "../support/proxy/in-process.ts";
import { makeBackend } from "../support/server/backends.ts";
import { until } from "../support/until.ts";

/** An exchange, and a record of all calls in their order. */
type Rig = {
  readonly exchange: Exchange;
  readonly backend: Backend;
  readonly said: string[];
  readonly hangUp: () => void;
};

function rig(): Rig {
  const said: string[] = [];
  const say = (what: string) => (): void => void said.push(what);
  const client: Client = {
    address: undefined,
    upgrade: () => true,
    expect: say("expect"),
    keepOpen: say("keepOpen"),
    release: say("client"),
  };
  const call: CallReport = {
    trace: say("trace"),
    answered: () => undefined,
    keepsPieces: false,
    began: () => undefined,
    ended: (_end, reason) => void said.push(`call ended${reason ? `: ${reason}` : ""}`),
    upgraded: () => () => undefined,
    failed: (_error, reason) => void said.push(`call failed${reason ? `: ${reason}` : ""}`),
  };
  const report: RequestReport = {
    named: (model, isKnown) => void said.push(`named ${model}, ${isKnown ? "known" : "unknown"}`),
    call: () => call,
    retry: say("retry"),
    waits: () => () => undefined,
    decided: say("decided"),
    failover: say("failover"),
    answered: (status, code) => void said.push(`answered ${status} ${code}`),
  };
  const hungUp = new AbortController();
  const request = new Request("http://a/v1/x", { signal: hungUp.signal });
  const exchange = new Exchange(request, splitTarget(request.url), client, report);
  return { exchange, backend: makeBackend(), said, hangUp: () => hungUp.abort() };
}

function uploadOf({ said }: Rig): Upload {
  const say = (what: string) => (): void => void said.push(`upload ${what}`);
  return {
    answered: say("answered"),
    sent: say("sent"),
    release: say("release"),
    discard: say("discard"),
  };
}

describe("Exchange", () => {
  test("releases the client and the kept bytes once when the proxy answers itself", () => {
    const at = rig();
    at.exchange.owns(uploadOf(at));
    at.exchange.answeredByProxy(404, "model_not_found");
    at.exchange.answeredByProxy(500, "internal_error");
    at.exchange.answeredByBackend();
    expect(at.said).toEqual(["upload discard", "client", "answered 404 model_not_found"]);
  });

  test("ends when nothing was read yet", () => {
    const at = rig();
    at.exchange.answeredByProxy(503, "proxy_overloaded");
    expect(at.said).toEqual(["client", "answered 503 proxy_overloaded"]);
  });

  test("reports its model", () => {
    const at = rig();
    expect(at.exchange.model).toBeUndefined();
    at.exchange.name("m", "m");
    expect([at.exchange.model, at.said]).toEqual(["m", ["named m, known"]]);
  });

  test("tells the upload that the answer has begun, and that the body was sent", () => {
    const at = rig();
    at.exchange.owns(uploadOf(at));
    at.exchange.answerBegins();
    at.exchange.bodyIsSent();
    expect(at.said).toEqual(["upload answered", "upload sent"]);
  });
});

describe("Attempt", () => {
  test("releases all that it owns when it fails, and the exchange continues", () => {
    const at = rig();
    at.exchange.owns(uploadOf(at));
    const attempt = at.exchange.attempt(at.backend.acquire()!, ENDLESS);
    attempt.owns(() => at.said.push("payload"));
    attempt.failed(new Error("reset"));
    attempt.failed(new Error("again"));
    expect(attempt.ended({ bytes: 0 })).toBe("complete"); // too late: no effect
    expect(at.said).toEqual(["payload", "call failed"]);
    expect([attempt.signal.aborted, at.backend.inFlight]).toEqual([true, 0]);
    at.exchange.answeredByProxy(502, "backend_unreachable");
    expect(at.said.slice(2)).toEqual([
      "upload discard",
      "client",
      "answered 502 backend_unreachable",
    ]);
  });

  test("ends the exchange once when its answer has ended", () => {
    const at = rig();
    at.exchange.owns(uploadOf(at));
    const attempt = at.exchange.attempt(at.backend.acquire()!, ENDLESS);
    attempt.owns(() => at.said.push("payload"));
    expect(attempt.ended({ bytes: 7 })).toBe("complete");
    attempt.ended({ bytes: 7, error: "late" });
    attempt.failed("late");
    at.exchange.answeredByProxy(500, "internal_error");
    expect(at.said).toEqual(["payload", "upload release", "client", "call ended"]);
    expect([attempt.signal.aborted, at.backend.inFlight]).toEqual([false, 0]);
  });

  test("counts its lease until it ends", () => {
    const at = rig();
    const attempt = at.exchange.attempt(at.backend.acquire()!, ENDLESS);
    expect(at.backend.inFlight).toBe(1);
    attempt.waitFor("read");
    attempt.waitFor("client");
    expect(at.backend.inFlight).toBe(1);
    attempt.ended({ bytes: 0 });
    expect(at.backend.inFlight).toBe(0);
  });

  test.each<[how: string, end: (at: Rig) => void, reason: string]>([
    ["the client hangs up", ({ hangUp }) => hangUp(), "client gone"],
    ["the drain is cut", ({ backend }) => backend.close("cut"), "cut"],
  ])("is aborted with a reason when %s", (_how, end, reason) => {
    const at = rig();
    const attempt = at.exchange.attempt(at.backend.acquire()!, ENDLESS);
    end(at);
    expect([attempt.signal.aborted, attempt.abortReason]).toEqual([true, reason as never]);
    attempt.failed(new Error("aborted"));
    expect(at.said).toEqual([`call failed: ${reason}`]);
  });

  test.each<[how: string, end: (attempt: Attempt, at: Rig) => void, brokeOff: boolean]>([
    ["it failed", (attempt) => attempt.failed(new Error("reset")), true],
    ["its answer broke off", (attempt) => attempt.ended({ bytes: 1, error: "reset" }), true],
    ["its answer is complete", (attempt) => attempt.ended({ bytes: 1 }), false],
    ["its client cancelled it", (attempt) => attempt.ended({ bytes: 1, cancelled: true }), false],
    [
      "its client hung up before an answer",
      (attempt, { hangUp }) => {
        hangUp();
        attempt.failed(new Error("aborted"));
      },
      false,
    ],
  ])("tells the run whether a request broke off: %s", (_how, end, brokeOff) => {
    const at = rig();
    end(at.exchange.attempt(at.backend.acquire()!, ENDLESS), at);
    expect(at.backend.ending.hasJustBrokenOff).toBe(brokeOff);
  });

  test("is not aborted any more after it has ended", async () => {
    const at = rig();
    const patience = { ...ENDLESS, headersMs: 1, probeAfterMs: 1, connectMs: 1 };
    const over = at.exchange.attempt(at.backend.acquire()!, patience);
    const open = at.exchange.attempt(at.backend.acquire()!, patience);
    over.ended({ bytes: 0 });
    at.backend.close("run-over");
    at.hangUp();
    await until("the other one is given up", () => open.signal.aborted);
    expect([over.signal.aborted, over.abortReason]).toEqual([false, undefined]);
    open.failed("gone");
  });

  test.each<
    [what: string, end: { error?: unknown; cancelled?: true }, hangsUp: boolean, ending: string]
  >([
    ["a whole answer", {}, false, "complete"],
    ["an answer that broke off", { error: new Error("reset") }, false, "broken off"],
    ["a cancelled answer", { cancelled: true }, false, "client gone"],
    ["an answer whose client hung up", { error: new Error("aborted") }, true, "client gone"],
  ])("reports how %s ended", (_what, end, hangsUp, ending) => {
    const at = rig();
    const attempt = at.exchange.attempt(at.backend.acquire()!, ENDLESS);
    if (hangsUp) at.hangUp();
    expect<string>(attempt.ended({ bytes: 1, ...end })).toBe(ending);
  });
});

/** Makes some attempts, of which some fail, and then ends in one of several ways. It may make each call twice. */
function randomEnd(at: Rig, random: Random): void {
  const { exchange, backend } = at;
  if (random(4) > 0) exchange.owns(uploadOf(at));
  const twice = (end: () => void): void => {
    end();
    if (random(2) === 0) end();
  };
  for (let failures = random(4); failures > 0; failures -= 1) {
    const attempt = exchange.attempt(backend.acquire()!, ENDLESS);
    attempt.owns(() => at.said.push("payload"));
    if (random(6) === 0) at.hangUp();
    twice(() => attempt.failed("failed"));
  }
  if (random(2) === 0) {
    const attempt = exchange.attempt(backend.acquire()!, ENDLESS);
    exchange.answerBegins();
    if (random(2) === 0) exchange.bodyIsSent();
    attempt.waitFor(random(2) === 0 ? "read" : "client");
    const end = random(2) === 0 ? { bytes: 1 } : { bytes: 1, error: "broken" };
    twice(() => void attempt.ended(end));
    twice(() => attempt.failed("a bug behind the end"));
  }
  twice(() => exchange.answeredByProxy(502, "backend_unreachable"));
}

test("an exchange releases everything once and reports each attempt once, however it ends", () => {
  for (let seed = 0; seed < 20_000; seed += 1) {
    const at = rig();
    randomEnd(at, seededRandom(seed));
    const count = (pattern: RegExp): number => at.said.filter((word) => pattern.test(word)).length;
    const uploads = count(/^upload (release|discard)$/);
    const ends = [count(/^client$/), count(/^(answered|call ended)/), at.backend.inFlight];
    if (uploads > 1 || ends.join() !== "1,1,0") {
      throw new Error(`seed ${seed}: ${at.said.join(", ")}; ${at.backend.inFlight} in flight`);
    }
  }
});
