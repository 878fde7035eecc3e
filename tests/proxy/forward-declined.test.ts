/** A replica answers 429 or 503: which server then gets the request, and which answer the client gets. */
import { describe, expect, test } from "bun:test";
import { freePort, rawConnect, rawServer } from "../support/client/raw-http.ts";
import { chat, post } from "../support/client/requests.ts";
import { rawRequest } from "../support/proxy/in-process.ts";
import { counts, expectNothingLeft, startReplicas } from "../support/proxy/replicas.ts";
import { type FakeBackend, fakeBackend } from "../support/server/scripted.ts";
import { until } from "../support/until.ts";

const INFERENCE = "/v1/chat/completions";

function answering(status: number, headers: Record<string, string> = {}): FakeBackend {
  return fakeBackend(() => new Response(`says ${status}`, { status, headers }));
}

describe("a replica that declines", () => {
  test.each([429, 503])(
    "with %d loses this request and the next ones to another replica, until it has cooled",
    async (status) => {
      using busy = answering(status);
      using idle = fakeBackend();
      using proxy = startReplicas([busy.origin, idle.origin]);
      for (let n = 0; n < 4; n += 1) expect((await chat(proxy.origin, "m")).status).toBe(200);
      expect(counts(busy, idle)).toEqual([1, 4]);
      expect(idle.received[0]?.body).toEqual(busy.received[0]!.body);
      await expectNothingLeft(proxy);
    },
  );

  test("like all others: each is asked once, and the client gets the last answer unchanged", async () => {
    const all = [429, 503, 429].map((status, index) =>
      answering(status, { "retry-after": String(40 + index), "x-from": String(index) }),
    );
    using proxy = startReplicas(all.map(({ origin }) => origin));
    const response = await chat(proxy.origin, "m");
    expect(response.status).toBe(429);
    expect([response.headers.get("retry-after"), response.headers.get("x-from")]).toEqual([
      "42",
      "2",
    ]);
    expect(await response.text()).toBe("says 429");
    expect(counts(...all)).toEqual([1, 1, 1]);
    await expectNothingLeft(proxy);
    for (const server of all) server[Symbol.dispose]();
  });

  test("while no other is reachable: the client gets its answer unchanged", async () => {
    using busy = answering(503, { "retry-after": "40", "content-type": "x/y" });
    using proxy = startReplicas([busy.origin, `http://127.0.0.1:${await freePort()}`]);
    const body = '{"model":"m"}';
    const headers = { origin: "http://page.test" };
    const response = await fetch(`${proxy.origin}${INFERENCE}`, { method: "POST", body, headers });
    expect([response.status, await response.text()]).toEqual([503, "says 503"]);
    expect(response.headers.get("retry-after")).toBe("40");
    expect(response.headers.get("content-type")).toBe("x/y");
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    await expectNothingLeft(proxy);
  });

  test("like the last reachable replica: the client gets that one's answer", async () => {
    using first = answering(503);
    using last = answering(429);
    const nobody = `http://127.0.0.1:${await freePort()}`;
    using proxy = startReplicas([first.origin, last.origin, nobody]);
    const response = await chat(proxy.origin, "m");
    expect([response.status, await response.text()]).toEqual([429, "says 429"]);
  });

  test("with a long answer: the proxy does not copy it, and passes it on only if no other server is left", async () => {
    const long = "x".repeat(100_000);
    using first = answering(503);
    using wordy = fakeBackend(() => new Response(long, { status: 429 }));
    const nobody = `http://127.0.0.1:${await freePort()}`;
    using proxy = startReplicas([first.origin, wordy.origin, nobody]);
    expect(await (await chat(proxy.origin, "m")).text()).toBe("says 503");
    using alone = startReplicas([first.origin, wordy.origin]);
    expect(await (await chat(alone.origin, "m")).text()).toBe(long);
    await expectNothingLeft(proxy);
    await expectNothingLeft(alone);
  });

  test("while its client leaves during the answer: no other server is asked", async () => {
    using busy = await rawServer();
    using other = fakeBackend();
    using proxy = startReplicas([busy.origin, other.origin]);
    const [first, second] = proxy.backends;
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    const request = await busy.request();
    request.send("HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nab");
    await until("it has declined", () => first!.load.isCooling(performance.now()));
    client.reset();
    await request.waitForClose();
    await expectNothingLeft(proxy);
    expect(second!.load.lastMinute(performance.now()).failover).toBe(0);
    expect(proxy.log.lines).toEqual([]);
  });

  test.each([400, 404, 408, 500, 502, 504])("is not assumed for status %d", async (status) => {
    using one = answering(status);
    using other = fakeBackend();
    using proxy = startReplicas([one.origin, other.origin]);
    expect((await chat(proxy.origin, "m")).status).toBe(status);
    expect(counts(one, other)).toEqual([1, 0]);
  });

  test("with a request body that cannot be sent again: the client gets the answer, and the replica cools", async () => {
    using busy = answering(503);
    using idle = fakeBackend();
    using proxy = startReplicas([busy.origin, idle.origin]);
    const send = (): Promise<Response> => {
      const body = (async function* () {
        yield Buffer.from('{"model":"m"}');
      })();
      return fetch(`${proxy.origin}${INFERENCE}`, { method: "POST", body });
    };
    expect((await send()).status).toBe(503);
    expect((await send()).status).toBe(200);
    await expectNothingLeft(proxy);
  });

  test("without another replica: the client gets its answer", async () => {
    using busy = answering(503, { "retry-after": "40" });
    using proxy = startReplicas([busy.origin]);
    const response = await chat(proxy.origin, "m");
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "40"]);
  });

  test("loses requests of every method to another one, except for objects that only the newest server has", async () => {
    using busy = answering(503);
    using idle = fakeBackend();
    using proxy = startReplicas([busy.origin, idle.origin]);
    expect((await fetch(`${proxy.origin}/v1/x?model=m`, { method: "DELETE" })).status).toBe(200);
    expect(counts(busy, idle)).toEqual([1, 1]);
    expect((await post(proxy.origin, "/v1/files?model=m", {})).status).toBe(503);
    expect((await fetch(`${proxy.origin}/v1/files`)).status).toBe(503);
    expect(counts(busy, idle)).toEqual([3, 1]);
  });
});
