import { describe, expect, test } from "bun:test";
import { rawConnect, rawExchange, rawServer } from "../support/client/raw-http.ts";
import { rawRequest, startProxyTo } from "../support/proxy/in-process.ts";
import { fakeBackend, streamedAnswer } from "../support/server/scripted.ts";
import { until, within } from "../support/until.ts";

const CHAT = "/v1/chat/completions";
const MIB = 1024 * 1024;

/** A body for the model `m`, followed by bytes that are not text. */
function largeBody(bytes: number): Buffer<ArrayBuffer> {
  const body = Buffer.from('{"model":"m","rest":'.padEnd(bytes, "x"));
  for (let at = 20; at < bytes; at += 1) body[at] = (at * 2_654_435_761) % 253;
  return body;
}

describe("forward() passes on the request:", () => {
  test.each<[what: string, bytes: number]>([
    ["small", 1_000],
    ["large", 5 * MIB],
  ])("a %s body of known length, byte for byte", async (_what, bytes) => {
    using upstream = fakeBackend();
    using proxy = startProxyTo(upstream.origin);
    const body = largeBody(bytes);
    await (await fetch(`${proxy.origin}${CHAT}`, { method: "POST", body })).text();
    const [received] = upstream.received;
    expect(Buffer.compare(received!.body, body)).toBe(0);
    expect(received!.headers.get("content-length")).toBe(String(bytes));
    expect(received!.headers.has("transfer-encoding")).toBe(false);
  });

  test("a chunked body, byte for byte and chunked", async () => {
    using upstream = fakeBackend();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    const [first, rest] = ['{"mod', 'el":"m","a":"\\u00e9"}  '];
    const head = `POST ${CHAT} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
    client.send(`${head}${first.length.toString(16)}\r\n${first}\r\n`);
    client.send(`${rest.length.toString(16)}\r\n${rest}\r\n0\r\n\r\n`);
    await client.waitFor("answer");
    const [received] = upstream.received;
    expect(Buffer.from(received!.body).toString()).toBe(first + rest);
    expect(received!.headers.get("transfer-encoding")).toBe("chunked");
    expect(received!.headers.has("content-length")).toBe(false);
  });

  test("the body's pieces as they come, before the last one has arrived", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    const head = `POST ${CHAT} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
    client.send(`${head}d\r\n{"model":"m",\r\n`);
    const connection = await upstream.request();
    await connection.waitFor('{"model":"m",');
    client.send('6\r\n"a":1}\r\n');
    await connection.waitFor('"a":1}');
    client.send("0\r\n\r\n");
    await connection.waitFor("0\r\n\r\n");
  });

  test("its end-to-end headers, and the client's address", async () => {
    using upstream = fakeBackend();
    using proxy = startProxyTo(upstream.origin);
    const headers = [
      "Authorization: Bearer sk-1",
      "Content-Type: application/json; charset=utf-8",
      "X-Latin: caf\u00e9",
      "X-Stainless-Retry-Count: 0",
      "Accept-Encoding: br;q=0.5",
      "User-Agent: OpenAI/Python",
      "Cookie: a=1; b=2",
      "Connection: close, X-Hop",
      "X-Hop: 1",
      "TE: trailers",
      "Proxy-Authorization: Basic eDp5",
      "X-Forwarded-For: 203.0.113.7",
    ];
    await rawExchange(proxy.port, rawRequest(undefined, headers));
    const received = upstream.received[0]!.headers;
    expect(received.get("x-forwarded-for")).toStartWith("203.0.113.7, ");
    received.delete("x-forwarded-for"); // see below
    expect(received.get("via")).toMatch(/^1\.1 lw-inference-proxy-[\da-f]{8}$/);
    received.delete("via");
    expect(Object.fromEntries(received)).toEqual({
      accept: "*/*", // fetch adds this if it is missing
      "accept-encoding": "br;q=0.5",
      authorization: "Bearer sk-1",
      connection: "keep-alive",
      "content-length": "13",
      "content-type": "application/json; charset=utf-8",
      cookie: "a=1; b=2",
      host: "proxy.test",
      "user-agent": "OpenAI/Python",
      "x-forwarded-host": "proxy.test",
      "x-forwarded-proto": "http",
      "x-latin": "caf\u00e9",
      "x-stainless-retry-count": "0",
    });
  });

  test("the client's IPv4 address in X-Forwarded-For as IPv4", async () => {
    // A socket for both families shows it as ::ffff:127.0.0.1, which no access rule expects.
    using upstream = fakeBackend();
    using proxy = startProxyTo(upstream.origin);
    await rawExchange(proxy.port, rawRequest(undefined, ["Connection: close"]));
    expect(upstream.received[0]?.headers.get("x-forwarded-for")).toBe("127.0.0.1");
  });

  test("a body whose length the client sends twice", async () => {
    // RFC 9110 §8.6 allows it. Passed on as "13, 13" it made fetch fail, and the proxy blamed the backend.
    using upstream = fakeBackend();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest('{"model":"m"}', ["Content-Length: 13"]));
    await client.waitFor("\r\n\r\n");
    expect(client.received()).toMatch(/^HTTP\/1.1 (200|400) /);
    expect(proxy.log.lines).toEqual([]);
  });

  test("to the backend itself, whatever HTTP_PROXY says", async () => {
    using upstream = fakeBackend();
    using other = fakeBackend(() => new Response("from the wrong proxy"));
    using proxy = startProxyTo(upstream.origin);
    const names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "NO_PROXY", "no_proxy"];
    const before = names.map((name) => [name, process.env[name]] as const);
    try {
      for (const name of names) process.env[name] = /^no/i.test(name) ? "" : other.origin;
      const answer = await rawExchange(proxy.port, rawRequest(undefined, ["Connection: close"]));
      expect(answer).toEndWith("answer");
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
    expect(other.received).toEqual([]);
  });
});

describe("forward() passes on the answer:", () => {
  test("piece by piece, each before the backend sends the next", async () => {
    const answer = streamedAnswer({ headers: { "content-type": "text/event-stream" } });
    using upstream = fakeBackend(() => answer.response);
    using proxy = startProxyTo(upstream.origin);
    const request = fetch(`${proxy.origin}${CHAT}`, { method: "POST", body: '{"model":"m"}' });
    await until("the backend has the request", () => upstream.received.length === 1);
    answer.send("data: 0\n\n");
    const response = await within("the headers", request);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body!.getReader();
    for (const piece of ["data: 0\n\n", "data: 1\n\n", "data: 2\n\n"]) {
      const { value } = await within(piece, reader.read());
      expect(Buffer.from(value!).toString()).toBe(piece);
      answer.send(`data: ${Number(piece[6]) + 1}\n\n`);
    }
    await within("the last piece", reader.read());
    answer.end();
    expect((await within("the end", reader.read())).done).toBe(true);
  });

  test("8 MiB, byte for byte", async () => {
    const body = largeBody(8 * MIB);
    using upstream = fakeBackend(() => new Response(body));
    using proxy = startProxyTo(upstream.origin);
    const answer = await fetch(`${proxy.origin}${CHAT}`, { method: "POST", body: '{"model":"m"}' });
    expect(Buffer.compare(await answer.bytes(), body)).toBe(0);
  });

  test("its end-to-end headers, each Set-Cookie separately, and its encoding", async () => {
    const zipped = Bun.gzipSync("answer");
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest(undefined, ["Connection: close"]));
    const head =
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\n" +
      "Set-Cookie: b=2\r\nX-Request-Id: 7\r\nServer: uvicorn\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n" +
      "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n";
    const body = Buffer.from(zipped).toString("latin1");
    (await upstream.request()).send(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
    await client.waitForClose();
    const [received, rest] = client.received().split("\r\n\r\n", 2);
    const lines = received!.toLowerCase().split("\r\n").slice(1).sort();
    expect(lines).toEqual([
      "content-encoding: gzip",
      `content-length: ${body.length}`,
      "content-type: text/plain",
      "date: thu, 01 jan 2026 00:00:00 gmt",
      "server: uvicorn",
      "set-cookie: a=1",
      "set-cookie: b=2",
      "x-request-id: 7",
    ]);
    expect(rest).toBe(body);
  });

  test.each<[status: number, body: string | null, headers: Record<string, string>]>([
    [201, "made", {}],
    [204, null, { "x-id": "1" }],
    [301, "moved", { location: "http://127.0.0.1:1/v1/x" }],
    [400, '{"error":{"code":null}}', { "content-type": "application/json" }],
    [404, '{"detail":"Not Found"}', {}],
    [429, "slow down", { "retry-after": "7" }],
    [500, "", {}],
    [503, "loading", {}],
    [529, "overloaded", {}],
  ])("the backend's status %d and body %p", async (status, body, headers) => {
    using upstream = fakeBackend(() => new Response(body, { status, headers }));
    using proxy = startProxyTo(upstream.origin);
    const answer = await fetch(`${proxy.origin}${CHAT}`, {
      method: "POST",
      body: '{"model":"m"}',
      redirect: "manual",
    });
    expect([answer.status, await answer.text()]).toEqual([status, body ?? ""]);
    for (const [name, value] of Object.entries(headers))
      expect(answer.headers.get(name)).toBe(value);
    await until("the lease has ended", () => proxy.backend.inFlight === 0);
    expect(proxy.keptOpen()).toBe(0);
    expect(proxy.log.lines).toEqual([]);
  });

  test("also before the request is complete", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    const head = `POST ${CHAT} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
    client.send(`${head}d\r\n{"model":"m",\r\n`);
    (await upstream.request()).send("HTTP/1.1 413 X\r\nContent-Length: 7\r\n\r\ntoo big");
    await client.waitFor("too big");
    expect(client.received()).toStartWith("HTTP/1.1 413 ");
    await until("the lease has ended", () => proxy.backend.inFlight === 0);
  });
});
