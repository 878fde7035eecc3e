/** Answers of replicas through the compiled binary: held until their first byte, and forwarded unchanged. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rawConnect } from "../../support/client/raw-http.ts";
import { CHAT, CompiledReplicas, type Reply } from "../../support/proxy/compiled-replicas.ts";
import { rawRequest } from "../../support/proxy/in-process.ts";
import { type Arrival, answer, chunk, head } from "../../support/server/wire-server.ts";
import { until } from "../../support/until.ts";

const EVENTS = { "Content-Type": "text/event-stream", "Transfer-Encoding": "chunked" };
const MIB = 1024 * 1024;

let replicas: CompiledReplicas;

beforeAll(async () => {
  replicas = await CompiledReplicas.start(2);
});

afterAll(async () => {
  await replicas[Symbol.asyncDispose]();
});

/** The proxy's answer when the server sends these bytes. */
async function answered(
  bytes: string,
  ask: Parameters<CompiledReplicas["ask"]>[0] = {},
): Promise<Reply> {
  const arrivals = replicas.play(({ send }) => send(bytes));
  const reply = await replicas.ask(ask);
  expect(arrivals).toHaveLength(1);
  expect(reply.complete).toBe(true);
  return reply;
}

/** All byte values, so that decoding on the way would show. */
function binary(length: number): string {
  return Buffer.from(Uint8Array.from({ length }, (_, n) => (n * 31) % 256)).toString("latin1");
}

describe("an answer of known length", () => {
  test.each([0, 1, 1_000, MIB - 1, MIB, MIB + 1, 5 * MIB])(
    "of %d bytes arrives unchanged",
    async (length) => {
      const body = binary(length);
      const type = { "Content-Type": "application/octet-stream" };
      const reply = await answered(answer(200, type, body));
      expect(reply.status).toBe(200);
      // docs/limits.md says that longer answers arrive chunked.
      const expected = length > MIB ? undefined : [String(length)];
      expect(reply.headers.get("content-length")).toEqual(expected);
      expect(reply.body === body).toBe(true); // toBe(body) would print megabytes
    },
  );

  test("arrives unchanged when its bytes come long after its head, and one at a time", async () => {
    const pieces = [head(200, { "Content-Length": "3", "Content-Type": "text/plain" }), ..."abc"];
    replicas.play(({ send }) => {
      const timer = setInterval(() => {
        const piece = pieces.shift();
        if (piece === undefined) clearInterval(timer);
        else send(piece);
      }, 30); // the server's pace
    });
    expect(await replicas.ask()).toMatchObject({ status: 200, body: "abc", complete: true });
  });
});

describe("an answer without a length", () => {
  test.each([[0], [1], [MIB + 1]])("in chunks, of %d bytes, arrives unchanged", async (length) => {
    const body = binary(length);
    const bytes = `${head(200, { "Transfer-Encoding": "chunked" })}${length > 0 ? chunk(body) : ""}${chunk("")}`;
    const reply = await answered(bytes);
    expect([reply.status, reply.body === body]).toEqual([200, true]);
  });

  test("that ends with its connection arrives unchanged", async () => {
    replicas.play(({ send, end }) => {
      send(`${head(200, { Connection: "close" })}abc`);
      end();
    });
    expect(await replicas.ask()).toMatchObject({ status: 200, body: "abc", complete: true });
  });
});

test.each([
  ["204", "DELETE", head(204, { "X-Own": "1" })],
  ["304", "GET", head(304, { "X-Own": "1", ETag: '"a"' })],
  ["200 to HEAD", "HEAD", head(200, { "X-Own": "1", "Content-Length": "77" })],
  ["201 with no bytes", "POST", answer(201, { "X-Own": "1" })],
])("an answer without a body (%s) arrives at once, unchanged", async (what, method, bytes) => {
  const reply = await answered(bytes, { method, path: "/v1/x?model=m" });
  expect(reply).toMatchObject({ status: Number.parseInt(what, 10), body: "" });
  expect(reply.headers.get("x-own")).toEqual(["1"]);
  if (method === "HEAD") expect(reply.headers.get("content-length")).toEqual(["77"]);
});

test("headers arrive unchanged: repeated ones, an encoding and types; the proxy adds none", async () => {
  const headers = {
    "Content-Encoding": "gzip",
    "Content-Type": "application/x-own; a=b",
    "Set-Cookie": ["a=1", "b=2; Path=/"],
    "X-Request-Id": "r-1",
  };
  const body = Buffer.from(Bun.gzipSync("hello")).toString("latin1");
  const reply = await answered(answer(200, headers, body));
  expect(reply.body).toBe(body);
  for (const [name, values] of Object.entries(headers)) {
    expect([name, reply.headers.get(name.toLowerCase())]).toEqual([name, [values].flat()]);
  }
  const bare = await answered(answer(200, {}, "bare"));
  expect([...bare.headers.keys()].sort()).toEqual(["content-length", "date"]);
});

test("an event stream keeps the server's pace: each event arrives before the server makes the next", async () => {
  const arrivals = replicas.play(() => undefined);
  using client = await rawConnect(replicas.proxy.port);
  client.send(rawRequest(CHAT));
  await until("the server has the request", () => arrivals.length === 1);
  const [{ send }] = arrivals as [Arrival];
  send(head(200, EVENTS));
  for (let n = 0; n < 20; n += 1) {
    send(chunk(`data: ${n}\n\n`));
    await client.waitFor(`data: ${n}\n\n`);
  }
  send(chunk(""));
  await client.waitFor("0\r\n\r\n");
  expect(client.received().toLowerCase()).toContain("content-type: text/event-stream");
});

test("the proxy does not cut a silent event stream, before its first event or after it", async () => {
  const arrivals = replicas.play((arrival) => arrival.send(head(200, EVENTS)));
  using client = await rawConnect(replicas.proxy.port);
  client.send(rawRequest(CHAT));
  await until("the server has the request", () => arrivals.length === 1);
  const [{ send }] = arrivals as [Arrival];
  for (const event of ["first", "second"]) {
    await Bun.sleep(400); // the silence
    expect(client.closed()).toBe(false);
    send(chunk(event));
    await client.waitFor(event);
  }
});
