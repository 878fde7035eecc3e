import { describe, expect, test } from "bun:test";
import { tryToReach } from "../../src/proxy/connections.ts";
import { type AbortReason, type Patience, UpstreamAbort } from "../../src/proxy/upstream-abort.ts";
import { ENDLESS } from "../support/proxy/in-process.ts";
import { makeBackend } from "../support/server/backends.ts";
import { blackhole } from "../support/server/blackhole.ts";
import { until } from "../support/until.ts";

const PATIENCE: Patience = { ...ENDLESS, headersMs: 20, readMs: 40 };

type Phase = "headers" | "read" | "client";
const PHASES: readonly Phase[] = ["headers", "read", "client"];

function setUp(patience: Patience = PATIENCE, client = new AbortController()) {
  const backend = makeBackend();
  const lease = backend.acquire()!;
  const abort = new UpstreamAbort(client, lease, patience);
  const enter = (phase: Phase): void => {
    if (phase !== "headers") abort.waitFor(phase);
  };
  return { abort, backend, client, enter, lease };
}

/** Resolves when a timer of `ms` that starts now has fired. Later timers have not fired yet. */
async function aReadTimesOut(): Promise<void> {
  const { abort, backend } = setUp();
  abort.waitFor("read");
  backend.close("run-over");
  await until("a read is given up", () => abort.signal.aborted);
}

describe("UpstreamAbort", () => {
  test("does not end a request by itself", () => {
    const { abort } = setUp();
    expect([abort.signal.aborted, abort.reason]).toEqual([false, undefined]);
  });

  test.each(PHASES)("waiting for %s, ends at once when the client hangs up", (phase) => {
    const { abort, client, enter } = setUp(ENDLESS);
    enter(phase);
    client.abort();
    expect([abort.signal.aborted, abort.reason]).toEqual([true, "client gone"]);
  });

  test("ends at once when the client has hung up already", () => {
    const client = new AbortController();
    client.abort();
    const { abort } = setUp(ENDLESS, client);
    expect([abort.signal.aborted, abort.reason]).toEqual([true, "client gone"]);
  });

  test.each(PHASES)("waiting for %s, ends at once when the drain is cut", (phase) => {
    const { abort, backend, enter } = setUp(ENDLESS);
    enter(phase);
    backend.close("cut");
    expect([abort.signal.aborted, abort.reason]).toEqual([true, "cut"]);
  });

  test("ends at once when the drain was cut before", () => {
    const backend = makeBackend();
    const lease = backend.acquire()!;
    backend.close("cut");
    const abort = new UpstreamAbort(new AbortController(), lease, ENDLESS);
    expect(abort.reason).toBe("cut");
  });

  test.each<Phase>(["headers", "read"])(
    "waiting for %s, ends a while after the run was over, not at once",
    async (phase) => {
      const { abort, backend, enter } = setUp();
      enter(phase);
      const since = performance.now();
      backend.close("run-over");
      expect(abort.signal.aborted).toBe(false);
      await until("it is given up", () => abort.signal.aborted);
      const patienceMs = phase === "headers" ? PATIENCE.headersMs : PATIENCE.readMs;
      expect(performance.now() - since).toBeGreaterThan(patienceMs - 2);
      expect(abort.reason).toBe("run-over");
    },
  );

  test.each<[phase: Phase, patience: Patience]>([
    ["headers", { ...ENDLESS, headersMs: 5, readMs: 1_000_000 }],
    ["read", { ...ENDLESS, headersMs: 1_000_000, readMs: 5 }],
  ])("waiting for %s, uses the time limit for that", async (phase, patience) => {
    const { abort, backend, enter } = setUp(patience);
    enter(phase);
    backend.close("run-over");
    await until("it is given up", () => abort.signal.aborted);
  });

  test.each(PHASES)("waiting for %s, never gives up on a running server", async (phase) => {
    const { abort, enter } = setUp({ ...ENDLESS, headersMs: 1, readMs: 1 });
    enter(phase);
    await aReadTimesOut();
    expect([abort.signal.aborted, abort.reason]).toEqual([false, undefined]);
  });

  test("waiting for a slow client, never gives up, even if the run is over", async () => {
    const { abort, backend } = setUp({ ...ENDLESS, headersMs: 1, readMs: 1 });
    abort.waitFor("client");
    backend.close("run-over");
    await aReadTimesOut();
    expect(abort.signal.aborted).toBe(false);
  });

  test("gives up on a read only if it takes too long", async () => {
    const { abort, backend } = setUp();
    abort.waitFor("read");
    backend.close("run-over");
    abort.waitFor("client");
    await aReadTimesOut();
    expect(abort.signal.aborted).toBe(false);
    abort.waitFor("read");
    await until("the next read is given up", () => abort.signal.aborted);
    expect(abort.reason).toBe("run-over");
  });

  test("gives each read the full time", async () => {
    const { abort, backend } = setUp({ ...ENDLESS, headersMs: 1, readMs: 200 });
    backend.close("run-over");
    const since = performance.now();
    for (let read = 0; read < 3; read += 1) {
      abort.waitFor("read");
      await aReadTimesOut(); // at least 40 ms
    }
    const renewedAfterMs = performance.now() - since;
    await until("the last read is given up", () => abort.signal.aborted);
    expect(performance.now() - since).toBeGreaterThan(renewedAfterMs + 100);
  });

  test("does not probe any more once the headers have arrived", async () => {
    const { abort, backend } = setUp({ ...ENDLESS, headersMs: 1, readMs: 1_000_000 });
    backend.close("run-over");
    abort.waitFor("read");
    await aReadTimesOut();
    expect(abort.signal.aborted).toBe(false);
    abort.release();
  });

  test("ends only a WebSocket when its drain timeout expires while the backend runs", () => {
    const { abort, backend, lease } = setUp(ENDLESS);
    const socket = new UpstreamAbort(new AbortController(), backend.acquire()!, ENDLESS);
    socket.upgraded();
    backend.drain();
    backend.endEndless();
    expect([abort.reason, socket.signal.aborted, socket.reason]).toEqual([undefined, true, "cut"]);
    abort.upgraded(); // a slow handshake
    expect([abort.signal.aborted, abort.reason]).toEqual([true, "cut"]);
    lease.end();
  });

  test("ends at once when a run that is over is also cut", () => {
    const { abort, backend } = setUp(ENDLESS);
    backend.close("run-over");
    backend.close("cut");
    expect([abort.signal.aborted, abort.reason]).toEqual([true, "cut"]);
    abort.release();
  });

  test.each<[first: AbortReason, second: AbortReason]>([
    ["client gone", "cut"],
    ["cut", "client gone"],
  ])("keeps the first reason: %s, then %s", (first, second) => {
    const { abort, backend, client } = setUp(ENDLESS);
    for (const reason of [first, second]) {
      if (reason === "client gone") client.abort();
      else backend.close("cut");
    }
    expect(abort.reason).toBe(first);
  });

  test("does nothing after release(), neither for a hang-up nor for a timer", async () => {
    const { abort, backend, client, lease } = setUp({ ...ENDLESS, headersMs: 1, readMs: 1 });
    backend.close("run-over");
    abort.release();
    lease.end();
    client.abort();
    backend.close("cut");
    await aReadTimesOut();
    expect([abort.signal.aborted, abort.reason]).toEqual([false, undefined]);
  });

  test.each<[what: string, end: (abort: UpstreamAbort) => void]>([
    ["the headers have arrived", (abort) => abort.waitFor("read")],
    ["the request is over", (abort) => abort.release()],
  ])("ignores a running try to connect when %s", async (_what, end) => {
    using hole = await blackhole();
    const backend = makeBackend({ origin: hole.origin, mayVanish: true });
    const vanishing = { probeAfterMs: 0, connectMs: 200, probeEveryMs: 1_000 };
    const client = new AbortController();
    const abort = new UpstreamAbort(client, backend.acquire()!, { ...ENDLESS, vanishing });
    await Bun.sleep(50); // the try begins at once
    end(abort);
    const { reached } = tryToReach(backend, 200); // the same try
    expect(await reached).toBe(false);
    await Bun.sleep(0);
    expect(abort.signal.aborted).toBe(false);
  });
});
