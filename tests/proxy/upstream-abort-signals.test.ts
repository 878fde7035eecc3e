/** When the proxy begins to watch for a client's hang-up, and how it reuses the signals that end requests. */
import { describe, expect, test } from "bun:test";
import { type Patience, UpstreamAbort } from "../../src/proxy/upstream-abort.ts";
import { ENDLESS } from "../support/proxy/in-process.ts";
import { makeBackend } from "../support/server/backends.ts";
import { until } from "../support/until.ts";

function setUp(patience: Patience) {
  const client = new AbortController();
  return { client, abort: new UpstreamAbort(client, makeBackend().acquire()!, patience) };
}

describe("a request that is not watched from the beginning", () => {
  const LATER: Patience = { ...ENDLESS, watchAfterMs: 10 };

  test("ends when the watching begins, if the client has hung up already", async () => {
    const { abort, client } = setUp(LATER);
    client.abort();
    expect(abort.signal.aborted).toBe(false);
    await until("it has ended", () => abort.signal.aborted);
    expect(abort.reason).toBe("client gone");
  });

  test("ends at once when the client hangs up later", async () => {
    const { asked, abort, client } = watched(LATER);
    await until("it is watched", asked);
    client.abort();
    expect(abort.reason).toBe("client gone");
  });

  test("shows the hang-up at once when watchClient() is called", () => {
    const { abort, client } = setUp(LATER);
    client.abort();
    abort.watchClient();
    expect(abort.reason).toBe("client gone");
  });

  test("does not use the client's signal if it is over first", async () => {
    const { asked, abort } = watched(LATER);
    abort.release();
    abort.watchClient();
    const { abort: later } = watched(LATER);
    later.watchClient();
    await Bun.sleep(2 * LATER.watchAfterMs); // nothing must happen
    expect(asked()).toBe(false);
  });

  /** Records whether the signal was used. */
  function watched(patience: Patience) {
    const client = new AbortController();
    let isAsked = false;
    const request = {
      get signal() {
        isAsked = true;
        return client.signal;
      },
    };
    const abort = new UpstreamAbort(request, makeBackend().acquire()!, patience);
    return { abort, client, asked: () => isAsked };
  }
});

describe("the signal of a request that is over", () => {
  const over = (isHeard = false): [UpstreamAbort, AbortSignal] => {
    const { abort } = setUp(ENDLESS);
    const { signal } = abort;
    if (isHeard) abort.isHeard();
    abort.release();
    return [abort, signal];
  };

  test("serves another request, and late events of the first do not end it", () => {
    const [first, signal] = over();
    const { abort: second } = setUp(ENDLESS);
    expect(second.signal).toBe(signal);
    first.cut();
    first.clientGone();
    first.abandon();
    expect([second.signal.aborted, first.signal.aborted, first.reason]).toEqual([
      false,
      false,
      undefined,
    ]);
    second.cut();
    expect([second.signal.aborted, first.signal.aborted]).toEqual([true, false]);
  });

  test("is given back only once", () => {
    const [first, signal] = over();
    first.release();
    const [second, third] = [setUp(ENDLESS).abort, setUp(ENDLESS).abort];
    expect([second.signal === signal, third.signal === signal]).toEqual([true, false]);
  });

  test("is not reused if it was aborted or has other listeners", () => {
    const { abort } = setUp(ENDLESS);
    abort.cut();
    abort.release();
    expect([abort.signal.aborted, setUp(ENDLESS).abort.signal === abort.signal]).toEqual([
      true,
      false,
    ]);
    const [, heard] = over(true);
    expect(setUp(ENDLESS).abort.signal).not.toBe(heard);
  });
});
