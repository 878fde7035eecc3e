import { describe, expect, test } from "bun:test";
import type { Handler } from "../src/proxy/handler.ts";
import { type ProxyServer, startServer } from "../src/server.ts";
import { completeBody, rawConnect, rawServer } from "./support/client/raw-http.ts";
import { memoryLog } from "./support/proxy/memory-log.ts";
import { type StreamedAnswer, streamedAnswer } from "./support/server/scripted.ts";
import { until, within } from "./support/until.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

type TestServer = Disposable & ProxyServer & { readonly log: ReturnType<typeof memoryLog> };

function start(handler: Handler): TestServer {
  const log = memoryLog();
  const server = startServer({ port: 0, log, handler });
  return { ...server, log, [Symbol.dispose]: () => void server.stop(0) };
}

/** A server with streamed answers. It sends the first piece of each at once. */
function startStreaming(): TestServer & { readonly answers: readonly StreamedAnswer[] } {
  const answers: StreamedAnswer[] = [];
  const server = start((_request, client) => {
    client.keepOpen();
    const answer = streamedAnswer();
    answer.send("first,");
    answers.push(answer);
    return answer.response;
  });
  return { ...server, answers };
}

describe("startServer()", () => {
  test("passes the request and the client's address to the handler", async () => {
    using server = start((request, client) =>
      Response.json([request.method, request.url.endsWith("/x?y"), client.address]),
    );
    const answer = await fetch(`http://127.0.0.1:${server.port}/x?y`);
    const [method, isTarget, address] = (await answer.json()) as [string, boolean, string];
    expect([method, isTarget]).toEqual(["GET", true]);
    expect(address).toEndWith("127.0.0.1");
  });

  test.each<[how: string, handler: Handler]>([
    [
      "throws",
      () => {
        throw new Error("a bug of ours");
      },
    ],
    ["rejects", () => Promise.reject(new Error("a bug of ours"))],
  ])("answers 500 as JSON when the handler %s, and logs the error", async (_how, handler) => {
    using server = start(handler);
    const answer = await fetch(`http://127.0.0.1:${server.port}/`);
    expect(answer.status).toBe(500);
    const text = await answer.text();
    expect(JSON.parse(text).error.code).toBe("internal_error");
    expect(text).not.toContain("a bug of ours");
    expect(server.log.lines).toMatchObject([
      { level: "error", reason: expect.stringContaining("a bug of ours") },
    ]);
  });

  test("does not limit the length of a body", async () => {
    using server = start((request) => new Response(request.headers.get("content-length")));
    using client = await rawConnect(server.port);
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${2 ** 40}\r\n\r\n`);
    await client.waitFor(`\r\n\r\n${2 ** 40}`);
  });

  test("throws when the port is in use", async () => {
    using other = await rawServer();
    const { port } = other;
    const handler = () => new Response();
    expect(() => startServer({ port, log: memoryLog(), handler })).toThrow(/in use/);
  });
});

describe("stop()", () => {
  test("returns at once and cuts nothing without requests in flight", async () => {
    using server = start(() => new Response("answer"));
    await (await fetch(`http://127.0.0.1:${server.port}/`)).text();
    expect(await within("the stop", server.stop(60_000), 1_000)).toBe(0);
  });

  test("refuses new connections at once", async () => {
    using server = startStreaming();
    using client = await rawConnect(server.port);
    client.send(GET);
    await client.waitFor("first,");
    const stopped = server.stop(60_000);
    await expect(rawConnect(server.port)).rejects.toThrow(/ECONNREFUSED|connect/i);
    server.answers[0]!.end();
    expect(await within("the stop", stopped)).toBe(0);
  });

  test("closes idle connections at once", async () => {
    using server = startStreaming();
    using busy = await rawConnect(server.port);
    using idle = await rawConnect(server.port);
    busy.send(GET);
    await busy.waitFor("first,");
    idle.send(GET);
    await idle.waitFor("first,");
    server.answers[1]!.end();
    await until("the answer is complete", () => completeBody(idle.received()) !== undefined);
    const stopped = server.stop(60_000);
    await idle.waitForClose();
    expect(busy.closed()).toBe(false);
    server.answers[0]!.end();
    await within("the stop", stopped);
  });

  test("lets open streams finish", async () => {
    using server = startStreaming();
    using client = await rawConnect(server.port);
    client.send(GET);
    await client.waitFor("first,");
    let stopped = false;
    const stop = server.stop(60_000).then((cut) => {
      stopped = true;
      return cut;
    });
    for (const piece of ["second,", "third,"]) {
      server.answers[0]!.send(piece);
      await client.waitFor(piece);
      expect(stopped).toBe(false);
    }
    server.answers[0]!.end();
    expect(await within("the stop", stop)).toBe(0);
    await client.waitForClose();
    expect(completeBody(client.received())).toBe("first,second,third,");
  });

  test("waits for a slow client that has not read its whole answer", async () => {
    const answer = "x".repeat(16 * 1024 * 1024); // more than the kernel buffers
    using server = start(() => new Response(answer));
    using client = await rawConnect(server.port);
    client.pause();
    client.send(GET);
    using other = await rawConnect(server.port);
    other.send(GET);
    await until("the other has its answer", () => completeBody(other.received()) !== undefined);
    const stop = server.stop(60_000);
    await other.waitForClose();
    client.resume();
    expect(await within("the stop", stop)).toBe(0);
    await client.waitForClose();
    expect(completeBody(client.received())?.length).toBe(answer.length);
  });

  test("cuts the remaining requests after the timeout and returns their number", async () => {
    using server = startStreaming();
    using a = await rawConnect(server.port);
    using b = await rawConnect(server.port);
    using finishing = await rawConnect(server.port);
    for (const [index, client] of [finishing, a, b].entries()) {
      client.send(GET);
      await client.waitFor("first,");
      expect(server.answers.length).toBe(index + 1);
    }
    const since = performance.now();
    const stop = server.stop(100);
    server.answers[0]!.end();
    expect(await within("the stop", stop)).toBe(2);
    expect(performance.now() - since).toBeGreaterThan(95);
    await Promise.all([a, b, finishing].map((client) => client.waitForClose()));
    expect(completeBody(finishing.received())).toBe("first,");
    expect([a, b].map((client) => completeBody(client.received()))).toEqual([undefined, undefined]);
    await until("both are cancelled", () =>
      server.answers.slice(1).every((one) => one.cancelled()),
    );
  });

  test("cuts a request without an answer", async () => {
    let requests = 0;
    using server = start(() => {
      requests += 1;
      return new Promise<Response>(() => undefined);
    });
    using client = await rawConnect(server.port);
    client.send(GET);
    await until("it is in flight", () => requests === 1);
    expect(await within("the stop", server.stop(20))).toBe(1);
    await client.waitForClose();
    expect(client.received()).toBe("");
  });

  test("does not wait for a client that is still sending its headers", async () => {
    using server = start(() => new Response());
    using client = await rawConnect(server.port);
    client.send("GET / HTTP/1.1\r\nHo");
    expect(await within("the stop", server.stop(60_000), 1_000)).toBe(0);
    await client.waitForClose();
  });
});
