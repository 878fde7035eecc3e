import { describe, expect, test } from "bun:test";
import { Load } from "../../src/routing/load.ts";
import { freePort, rawServer } from "../support/client/raw-http.ts";
import { chat, post } from "../support/client/requests.ts";
import { startPatientProxy } from "../support/proxy/waiting.ts";
import { makeBackend } from "../support/server/backends.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until, within } from "../support/until.ts";

const OLD = { source: "docker", id: "old", startedAtMs: 1 };
const NEXT = { source: "docker", id: "next", startedAtMs: 2 };
const CRASHED = { kind: "exited", brief: "exited with code 1", reason: "exited" } as const;

const STOPPED = { kind: "stopped", brief: "was stopped", reason: "was stopped" } as const;

async function codeOf(answer: Promise<Response>): Promise<string> {
  const response = await within("an answer", answer);
  const text = await response.text();
  return `${response.status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? text}`;
}

describe("A request whose server refuses the connection", () => {
  test("waits, and goes to the next server as soon as there is one", async () => {
    using next = fakeBackend();
    const old = makeBackend({ origin: `http://127.0.0.1:${await freePort()}`, run: OLD });
    using proxy = startPatientProxy([old]);
    const answer = chat(proxy.origin, "m");
    await proxy.untilWaiting(1);
    proxy.table.admit(makeBackend({ origin: next.origin, run: NEXT, rank: 1e9 }));
    expect(await codeOf(answer)).toBe("200 answer");
    expect([old.inFlight, next.received.length]).toEqual([0, 1]);
  });

  test("tries the server again after a second, because it may listen by then", async () => {
    const port = await freePort();
    const old = makeBackend({ origin: `http://127.0.0.1:${port}`, run: OLD });
    using proxy = startPatientProxy([old]);
    const answer = chat(proxy.origin, "m");
    await proxy.untilWaiting(1);
    const server = Bun.serve({ port, hostname: "127.0.0.1", fetch: () => new Response("late") });
    expect(await codeOf(answer)).toBe("200 late");
    await server.stop(true);
  });

  test("gets the present reason for its wait after the wait timeout, not the first one", async () => {
    const old = makeBackend({ origin: `http://127.0.0.1:${await freePort()}`, run: OLD });
    using proxy = startPatientProxy([old], { timeoutMs: 1_300 });
    const answer = chat(proxy.origin, "m");
    await proxy.untilWaiting(1);
    proxy.table.drain(old);
    expect(await codeOf(answer)).toBe("503 backend_draining");
    expect(proxy.roomLog.lines.map(({ reason }) => reason)).toContain("its server did not answer");
  });

  test("gets an error after the wait timeout, and asks a server at most once a second", async () => {
    const old = makeBackend({ origin: `http://127.0.0.1:${await freePort()}`, run: OLD });
    using proxy = startPatientProxy([old], { timeoutMs: 300 });
    const response = await chat(proxy.origin, "m");
    expect(await response.clone().text()).toMatch(
      /did not answer; its log may say why \(waited for 0\.\d s\)/,
    );
    expect(await codeOf(Promise.resolve(response))).toBe("502 backend_unreachable");
    expect(proxy.room.counts.size).toBe(0);
    await until(
      "the log says so",
      () => proxy.log.count("the server refused the connection") === 1,
    );
  });
});

describe("A request that dies with its server before an answer", () => {
  test("goes to the next one, if the server was told to stop and the request is for inference", async () => {
    using next = fakeBackend();
    using server = await rawServer();
    const old = makeBackend({ origin: server.origin, run: OLD });
    using proxy = startPatientProxy([old]);
    const answer = chat(proxy.origin, "m");
    const upstream = await server.request();
    old.ending.toldToStop();
    proxy.table.drain(old);
    upstream.reset();
    await proxy.untilWaiting(1);
    proxy.table.admit(makeBackend({ origin: next.origin, run: NEXT, rank: 1e9 }));
    expect(await codeOf(answer)).toBe("200 answer");
    expect(next.received).toHaveLength(1);
  });

  test("goes to the next one also if the engine reports the stop a moment later", async () => {
    using server = await rawServer();
    const old = makeBackend({ origin: server.origin, run: OLD });
    using proxy = startPatientProxy([old]);
    const answer = chat(proxy.origin, "m");
    (await server.request()).reset();
    await until("its lease has ended", () => old.inFlight === 0);
    old.ending.ended(STOPPED);
    proxy.table.drain(old);
    await proxy.untilWaiting(1);
    proxy.room.close();
    expect(await codeOf(answer)).toBe("503 backend_unavailable");
  });

  test.each([
    ["crashed", "/v1/chat/completions", (): boolean => false],
    ["was told to stop, but the request must not be sent twice", "/v1/x", () => true],
  ])("gets an error at once if the server %s", async (_why, path, isStopping) => {
    using server = await rawServer();
    const old = makeBackend({ origin: server.origin, run: OLD });
    using proxy = startPatientProxy([old]);
    const answer = post(proxy.origin, path, { model: "m" });
    const upstream = await server.request();
    if (isStopping()) old.ending.toldToStop();
    upstream.reset();
    if (!isStopping()) old.ending.ended(CRASHED);
    expect(await codeOf(answer)).toBe("502 backend_unreachable");
    expect(proxy.room.counts.size).toBe(0);
  });

  test("goes to one more server but not to a third", async () => {
    using first = await rawServer();
    using second = await rawServer();
    const old = makeBackend({ origin: first.origin, run: OLD });
    const next = makeBackend({ origin: second.origin, run: NEXT, rank: 1e9 });
    using proxy = startPatientProxy([old]);
    const answer = chat(proxy.origin, "m");
    const upstream = await first.request();
    old.ending.toldToStop();
    proxy.table.drain(old);
    upstream.reset();
    await proxy.untilWaiting(1);
    proxy.table.admit(next);
    const again = await second.request();
    next.ending.toldToStop();
    proxy.table.drain(next);
    again.reset();
    expect(await codeOf(answer)).toBe("502 backend_unreachable");
  });

  test("gets an error at once if its body cannot be sent again", async () => {
    using server = await rawServer();
    const old = makeBackend({ origin: server.origin, run: OLD });
    using proxy = startPatientProxy([old]);
    const big = { model: "m", prompt: "x".repeat(2 * 1024 * 1024) };
    const answer = post(proxy.origin, "/v1/chat/completions", big);
    const upstream = await server.request();
    old.ending.toldToStop();
    upstream.reset();
    expect(await codeOf(answer)).toBe("502 backend_unreachable");
  });
});

test("A request of Codex for a response waits when its server was told to stop and cuts it", async () => {
  using server = await rawServer();
  const old = makeBackend({ origin: server.origin, run: OLD });
  using proxy = startPatientProxy([old]);
  const answers = [{}, { background: true }].map((more) =>
    post(proxy.origin, "/v1/responses", { model: "m", input: "hello", ...more }),
  );
  await until("both are there", () => server.connections.length === 2);
  for (const upstream of server.connections) await upstream.waitFor("hello");
  old.ending.toldToStop();
  proxy.table.drain(old);
  for (const upstream of server.connections) upstream.reset();
  await proxy.untilWaiting(1); // a background request is not started twice
  expect(await codeOf(Promise.race(answers))).toBe("502 backend_unreachable");
  proxy.room.close();
});

test("A replica that drops every connection gets a request only once, even while the others are full", async () => {
  using server = await rawServer();
  const full = makeBackend({ run: NEXT, isReplica: true, load: new Load(1), rank: 5 });
  full.acquire();
  const bad = makeBackend({ origin: server.origin, run: OLD, isReplica: true, rank: 4 });
  using proxy = startPatientProxy([full, bad], { timeoutMs: 1_400 });
  const answer = chat(proxy.origin, "m");
  (await server.request()).reset();
  expect(await codeOf(answer)).toBe("502 backend_unreachable");
  expect(server.connections).toHaveLength(1);
});

test("An answer that has begun goes to the client, whatever happens to its server", async () => {
  using server = await rawServer();
  const old = makeBackend({ origin: server.origin, run: OLD });
  using proxy = startPatientProxy([old]);
  const answer = chat(proxy.origin, "m");
  const upstream = await server.request();
  upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  const response = await within("its head", answer);
  old.ending.toldToStop();
  proxy.table.drain(old);
  upstream.reset();
  expect(await response.text().catch(() => "broken off")).toBe("broken off");
  expect(proxy.room.counts.size).toBe(0);
});
