import { describe, expect, test } from "bun:test";
import { KeptBytes } from "../../src/proxy/body/kept-bytes.ts";
import { Load } from "../../src/routing/load.ts";
import { NO_REPORT, NO_TELEMETRY } from "../../src/telemetry/telemetry.ts";
import { freePort, rawConnect, rawServer } from "../support/client/raw-http.ts";
import { chat, post } from "../support/client/requests.ts";
import { startPatientProxy } from "../support/proxy/waiting.ts";
import { makeBackend } from "../support/server/backends.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until, within } from "../support/until.ts";

const OLD = { source: "docker", id: "old", startedAtMs: 1 };
const NEXT = { source: "docker", id: "next", startedAtMs: 2 };
const EXPECTED = { models: [{ id: "m" }] };

describe("A request whose server refuses the connection", () => {
  test("does not try that server for a second, even if woken often, and delays no other request", async () => {
    let refusals = 0;
    const origin = `http://127.0.0.1:${await freePort()}`;
    const old = makeBackend({ origin, run: OLD, onUnreachable: () => (refusals += 1) });
    using proxy = startPatientProxy([old]);
    const answers = [chat(proxy.origin, "m")];
    await proxy.untilWaiting(1);
    proxy.table.expect(NEXT, undefined); // wakes the waiting requests
    answers.push(chat(proxy.origin, "m"));
    await proxy.untilWaiting(2);
    expect(refusals).toBe(2);
    proxy.room.close();
    await within("the answers", Promise.all(answers));
  });

  test("does not wait longer than the wait timeout in all its waits together", async () => {
    const old = makeBackend({ origin: `http://127.0.0.1:${await freePort()}`, run: OLD });
    using proxy = startPatientProxy([old], { timeoutMs: 1_100 });
    expect((await within("an answer", chat(proxy.origin, "m"))).status).toBe(502);
  });
});

test("A request whose turn never came gets the same error as others after the wait timeout", async () => {
  const full = makeBackend({ run: OLD, load: new Load(1) });
  full.acquire();
  using proxy = startPatientProxy([full], { timeoutMs: 200 });
  const answers = [chat(proxy.origin, "m"), chat(proxy.origin, "m")];
  for (const answer of answers) {
    expect(await (await within("an answer", answer)).text()).toContain("backend_saturated");
  }
});

test("A request that only one replica can take does not delay requests for other replicas", async () => {
  using idle = fakeBackend();
  const load = new Load(1);
  const isReplica = true;
  const newest = makeBackend({ run: NEXT, isReplica, load, rank: 1e9 });
  newest.acquire();
  using proxy = startPatientProxy([
    makeBackend({ origin: idle.origin, run: OLD, isReplica }),
    newest,
  ]);
  const pinned = { model: "m", input: "x", conversation: "c" };
  void post(proxy.origin, "/v1/responses", pinned).catch(() => undefined);
  await proxy.untilWaiting(1);
  expect((await within("an answer", chat(proxy.origin, "m"))).status).toBe(200);
  expect(proxy.room.counts.get("m")).toBe(1);
});

describe("A body of more than 1 MiB that is read further after its wait", () => {
  const LENGTH = 2 * 1024 * 1024;
  const HEAD = `POST /v1/x HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: ${LENGTH}\r\n\r\n`;
  const BODY = `{"model":"m","prompt":"${"x".repeat(LENGTH - 25)}"}`;

  test("is not sent to a server that is stopping by then, and goes to the next one at once", async () => {
    using server = fakeBackend();
    using next = fakeBackend();
    const old = makeBackend({ origin: server.origin, run: OLD });
    const replace = (): void => {
      if (old.state !== "active") return;
      proxy.table.drain(old);
      proxy.table.admit(makeBackend({ origin: next.origin, run: NEXT, rank: 1e9 }));
    };
    const telemetry = { ...NO_TELEMETRY, request: () => ({ ...NO_REPORT, waits: () => replace }) };
    using proxy = startPatientProxy([], { telemetry });
    proxy.table.expect(OLD, EXPECTED);
    using client = await rawConnect(proxy.port);
    client.send(HEAD + BODY);
    await proxy.untilWaiting(1);
    proxy.table.admit(old);
    await client.waitFor("answer");
    expect([server.received.length, next.received.length, old.inFlight]).toEqual([0, 1, 0]);
  });

  test("is not sent when its client has left, and its lease ends", async () => {
    using server = await rawServer();
    using proxy = startPatientProxy([]);
    proxy.table.expect(OLD, EXPECTED);
    using client = await rawConnect(proxy.port);
    client.send(HEAD + BODY.slice(0, 1_500_000));
    await proxy.untilWaiting(1);
    client.end();
    const old = makeBackend({ origin: server.origin, run: OLD });
    proxy.table.admit(old);
    await proxy.untilWaiting(0);
    await until("no lease is left", () => old.inFlight === 0);
    expect(server.connections).toHaveLength(0);
  });

  test("is sent as far as it has arrived when its client is silent", async () => {
    using server = await rawServer();
    using proxy = startPatientProxy([]);
    proxy.table.expect(OLD, EXPECTED);
    using client = await rawConnect(proxy.port);
    client.send(HEAD + BODY.slice(0, 200_000));
    await proxy.untilWaiting(1);
    proxy.table.admit(makeBackend({ origin: server.origin, run: OLD }));
    const upstream = await server.request();
    await until("the first part has arrived", () => upstream.received().length > 200_000);
    client.send(BODY.slice(200_000));
    await until("the rest has arrived", () => upstream.received().includes('x"}'));
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    await client.waitFor("ok");
  });
});

test("A request whose server goes while the proxy stops gets an error at once and does not wait", async () => {
  using server = await rawServer();
  const old = makeBackend({ origin: server.origin, run: OLD });
  using proxy = startPatientProxy([old]);
  const answer = chat(proxy.origin, "m");
  const upstream = await server.request();
  proxy.room.close();
  old.ending.toldToStop();
  proxy.table.drain(old);
  upstream.reset();
  expect((await within("an answer", answer)).status).toBe(503);
});

test("A request that comes when there is room again is behind one that waits", async () => {
  const order: string[] = [];
  using server = fakeBackend(({ body }) => {
    order.push((JSON.parse(new TextDecoder().decode(body)) as { n: string }).n);
    return new Response("x");
  });
  const backend = makeBackend({ origin: server.origin, run: OLD, load: new Load(1) });
  const held = backend.acquire();
  let count = 0;
  const named = (): void => {
    count += 1;
    if (count === 2) held?.end(); // the second request is read but not routed yet
  };
  const telemetry = { ...NO_TELEMETRY, request: () => ({ ...NO_REPORT, named }) };
  using proxy = startPatientProxy([backend], { telemetry });
  const first = post(proxy.origin, "/v1/x", { model: "m", n: "first" });
  await proxy.untilWaiting(1);
  const second = post(proxy.origin, "/v1/x", { model: "m", n: "second" });
  for (const answer of [first, second]) {
    expect(await (await within("an answer", answer)).text()).toBe("x");
  }
  expect(order).toEqual(["first", "second"]);
});

test("Unread bodies of waiting requests count as kept bytes: a request without room gets an error", async () => {
  const kept = new KeptBytes(1024 * 1024); // four times this for all requests together
  using proxy = startPatientProxy([], { kept });
  proxy.table.expect(OLD, EXPECTED);
  const send = (): Promise<Response> =>
    post(proxy.origin, "/v1/x", { model: "m", x: "x".repeat(2 * 1024 * 1024) });
  const waiting = [send(), send()];
  await proxy.untilWaiting(2);
  const refused = await within("an answer", send());
  expect([refused.status, await refused.text()]).toEqual([
    503,
    expect.stringContaining("proxy_overloaded"),
  ]);
  proxy.room.close();
  for (const answer of waiting) expect((await answer).status).toBe(503);
  await until("nothing is kept", () => kept.total === 0);
});
