import { describe, expect, test } from "bun:test";
import type { Patience } from "../../src/proxy/upstream-abort.ts";
import { completeBody, rawConnect, rawServer } from "../support/client/raw-http.ts";
import { ENDLESS, rawRequest, startProxyTo } from "../support/proxy/in-process.ts";
import { until } from "../support/until.ts";

const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const PIECE = "5\r\nhello\r\n";
const LAST_CHUNK = "0\r\n\r\n";
const MIB = 1024 * 1024;
const TIME_OVER = "the drain timeout of 60 s expired";

/** A request that has reached its backend, through a proxy with this patience. */
async function setUp(patience: Patience = ENDLESS) {
  const upstream = await rawServer();
  const proxy = startProxyTo(upstream.origin, { patience, broken: { drainTimeoutMs: 60_000 } });
  const client = await rawConnect(proxy.port);
  client.send(rawRequest(undefined, ["Connection: close"]));
  const connection = await upstream.request();
  return {
    ...{ client, connection, proxy, upstream },
    [Symbol.dispose]: () => {
      for (const part of [client, proxy, upstream]) part[Symbol.dispose]();
    },
  };
}

describe("a drain that is cut", () => {
  test("ends a request without an answer at once, with 502", async () => {
    using at = await setUp();
    at.proxy.table.remove(at.proxy.backend, "cut");
    await at.client.waitFor("}}");
    expect(at.client.received()).toStartWith("HTTP/1.1 502 ");
    expect(at.client.received()).toContain('"code":"backend_unreachable"');
    await at.connection.waitForClose();
    expect([at.proxy.backend.inFlight, at.proxy.keptOpen()]).toEqual([0, 0]);
    await until("it is logged", () => at.proxy.log.lines.length > 0);
    expect(at.proxy.log.lines).toMatchObject([{ level: "warn", model: "m", reason: TIME_OVER }]);
  });

  test("aborts an answer in flight at once, on both sides", async () => {
    using at = await setUp();
    at.connection.send(`${CHUNKED}${PIECE}`);
    await at.client.waitFor("hello");
    at.proxy.table.remove(at.proxy.backend, "cut");
    await at.client.waitForClose();
    await at.connection.waitForClose();
    expect(completeBody(at.client.received())).toBeUndefined();
    await until("the lease has ended", () => at.proxy.backend.inFlight === 0);
    expect(at.proxy.keptOpen()).toBe(0);
    await until("it is logged", () => at.proxy.log.lines.length > 0);
    expect(at.proxy.log.lines).toMatchObject([
      { level: "warn", container: "vllm-1", model: "m", answers: 1, reason: TIME_OVER },
    ]);
  });

  test("ends the lease of a client that does not read", async () => {
    using at = await setUp();
    at.connection.send(`${CHUNKED}${PIECE}`);
    await at.client.waitFor("hello");
    at.client.pause();
    for (let sent = 0; sent < 32; sent += 1) at.connection.send(`100000\r\n${"x".repeat(MIB)}\r\n`);
    at.proxy.table.remove(at.proxy.backend, "cut");
    await at.connection.waitForClose();
    await until("the lease has ended", () => at.proxy.backend.inFlight === 0, 2_000);
    expect(at.proxy.keptOpen()).toBe(0);
  });

  test("does not disturb an answer in flight before that", async () => {
    using at = await setUp();
    at.connection.send(`${CHUNKED}${PIECE}`);
    await at.client.waitFor("hello");
    at.proxy.table.drain(at.proxy.backend);
    at.connection.send(`${PIECE.replace("hello", "world")}${LAST_CHUNK}`);
    await at.client.waitForClose();
    expect(completeBody(at.client.received())).toBe("helloworld");
    expect(at.proxy.log.lines).toEqual([]);
  });
});

describe("a run that is over", () => {
  test("ends a request without an answer after `headersMs`, with 502", async () => {
    using at = await setUp({ ...ENDLESS, headersMs: 100, readMs: 1_000_000 });
    const since = performance.now();
    at.proxy.table.remove(at.proxy.backend, "run-over");
    await at.client.waitFor("}}");
    expect(performance.now() - since).toBeGreaterThan(95);
    expect(at.client.received()).toStartWith("HTTP/1.1 502 ");
    await at.connection.waitForClose();
    await until("the lease has ended", () => at.proxy.backend.inFlight === 0);
    await until("it is logged", () => at.proxy.log.lines.length > 0);
    const reason = "the server stopped or is no longer reachable";
    expect(at.proxy.log.lines).toMatchObject([{ level: "warn", reason }]);
  });

  test("passes on an answer that still comes", async () => {
    using at = await setUp();
    at.proxy.table.remove(at.proxy.backend, "run-over");
    at.connection.send(`${CHUNKED}${PIECE}`);
    await at.client.waitFor("hello");
    at.connection.send(LAST_CHUNK);
    await at.client.waitForClose();
    expect(completeBody(at.client.received())).toBe("hello");
    expect(at.proxy.log.lines).toEqual([]);
  });

  test("aborts an answer after `readMs` without a new piece", async () => {
    using at = await setUp({ ...ENDLESS, headersMs: 1, readMs: 100 });
    at.connection.send(`${CHUNKED}${PIECE}`);
    await at.client.waitFor("hello");
    const since = performance.now();
    at.proxy.table.remove(at.proxy.backend, "run-over");
    await at.client.waitForClose();
    expect(performance.now() - since).toBeGreaterThan(95);
    expect(completeBody(at.client.received())).toBeUndefined();
    await at.connection.waitForClose();
    await until("it is logged", () => at.proxy.log.lines.length > 0);
    expect(at.proxy.log.lines).toMatchObject([{ level: "warn", answers: 1 }]);
    expect(at.proxy.log.lines[0]!["reason"]).toStartWith(
      "the server stopped or is no longer reachable 0",
    );
  });

  test("loses none of the bytes that the backend has sent, however slow the client is", async () => {
    using at = await setUp({ ...ENDLESS, headersMs: 1, readMs: 1_000 });
    using silent = await rawConnect(at.proxy.port);
    silent.send(rawRequest());
    const silentConnection = await at.upstream.request(1);
    const bytes = 32 * MIB;
    at.connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\nhello`);
    silentConnection.send(`${CHUNKED}${PIECE}`);
    await at.client.waitFor("hello");
    await silent.waitFor("hello");
    at.client.pause();
    at.connection.send("x".repeat(bytes - 5));
    at.connection.end();
    at.proxy.table.remove(at.proxy.backend, "run-over");
    await silent.waitForClose(); // so `readMs` has passed
    expect(at.proxy.backend.inFlight).toBe(1);
    at.client.resume();
    await at.client.waitForClose();
    expect(completeBody(at.client.received())?.length).toBe(bytes);
    await until("the lease has ended", () => at.proxy.backend.inFlight === 0);
  });
});
