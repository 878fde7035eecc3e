import { describe, expect, test } from "bun:test";
import { brotliCompressSync, constants } from "node:zlib";
import { readModels } from "../../src/fleet/models.ts";
import { statusReason } from "../../src/fleet/models-failure.ts";
import { rawServer } from "../support/client/raw-http.ts";
import { type ModelServer, startModelServer } from "../support/proxy/discovery.ts";
import { within } from "../support/until.ts";

const LIMITS = { timeoutMs: 1_000, bytesMax: 16_384 };

const NO_LIST = 'the answer has no list "data" of objects with an "id"';
const TOO_LARGE = "the answer is larger than 16 KiB, too large for a model list";

type Answer = ModelServer["answer"];

async function read(answer: Answer): Promise<string> {
  using server = startModelServer();
  server.answer = answer;
  const models = readModels(
    `http://127.0.0.1:${server.port}/v1`,
    new AbortController().signal,
    LIMITS,
  );
  return JSON.stringify(await within("the models", models));
}

const LIST = '{"data":[{"id":"m"}]}';
/** 64 MiB. Inflating it would make the test visibly slow. */
const ZEROS = new Uint8Array(64 * 1024 * 1024);
const BOMB = Bun.gzipSync(ZEROS, { level: 1 });
const BROTLI_BOMB = brotliCompressSync(ZEROS, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });

function encoded(encoding: string, body: string | Uint8Array): Response {
  return new Response(new Blob([body]), { headers: { "content-encoding": encoding } });
}

function encodedReason(encoding: string): string {
  return `the answer has Content-Encoding "${encoding}", which the proxy did not ask for: the server, or a proxy in front of it`;
}

function stalling(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
  });
}

describe("readModels(), failing", () => {
  test.each<[what: string, answer: Answer, reason: string]>([
    [
      "401",
      () => new Response("", { status: 401 }),
      "401 Unauthorized – the server wants an API key for /v1/models: name its models in the label inference.models",
    ],
    [
      "403",
      () => new Response("", { status: 403 }),
      "403 Forbidden – the server does not let the proxy read /v1/models: name its models in the label inference.models",
    ],
    [
      "404",
      () => new Response("", { status: 404 }),
      "404 Not Found – the server has no /v1/models: set the label inference.api.base_path to the path of its API, or name its models in the label inference.models",
    ],
    [
      "503 while loading",
      () => new Response("{}", { status: 503 }),
      "503 Service Unavailable – the server is still loading its model",
    ],
    [
      "500",
      () => new Response("{}", { status: 500 }),
      "500 Internal Server Error – the server failed: see its log",
    ],
    [
      "204",
      () => new Response(null, { status: 204 }),
      "204 No Content – the server does not answer GET /v1/models with a list",
    ],
    [
      "an unknown status",
      () => new Response("", { status: 599 }),
      "599 – the server failed: see its log",
    ],
    [
      "HTML",
      () => new Response("\n<!DOCTYPE html><html>"),
      "the answer is HTML, not JSON: set the label inference.port to the port of its API, and inference.api.base_path to its path",
    ],
    ["no data", () => Response.json({ object: "list" }), NO_LIST],
    ["data that is not a list", () => Response.json({ data: { id: "a" } }), NO_LIST],
    ["ids that are not strings", () => Response.json({ data: [{ id: 1 }, { id: 2 }] }), NO_LIST],
    ["an entry that is not an object", () => Response.json({ data: ["a"] }), NO_LIST],
    ["null", () => Response.json(null), NO_LIST],
    [
      "nothing",
      () => new Response(""),
      "the answer is empty: set the label inference.port to the port of its API",
    ],
    [
      "half a list",
      () => new Response('{"data":[{"id":"new"}'),
      String.raw`the answer is not JSON: it begins with "{\"data\":[{\"id\":\"new\"}"`,
    ],
    [
      "long words",
      () => new Response("x".repeat(9_000)),
      `the answer is not JSON: it begins with "${"x".repeat(60)}…"`,
    ],
    ["too much", () => new Response("x".repeat(16_385)), TOO_LARGE],
    ["gzip", () => encoded("gzip", Bun.gzipSync(LIST)), encodedReason("gzip")],
    ["deflate", () => encoded("deflate", Bun.deflateSync(LIST)), encodedReason("deflate")],
    ["brotli", () => encoded("br", brotliCompressSync(LIST)), encodedReason("br")],
    ["zstd", () => encoded("zstd", Bun.zstdCompressSync(LIST)), encodedReason("zstd")],
    ["two codings", () => encoded("br, gzip", LIST), encodedReason("br, gzip")],
    ["an unknown coding", () => encoded("x".repeat(99), LIST), encodedReason("x".repeat(40))],
    ["too much in a few bytes", () => encoded("gzip", BOMB), encodedReason("gzip")],
    ["too much in fewer bytes", () => encoded("br", BROTLI_BOMB), encodedReason("br")],
    ["silence", () => new Promise<Response>(() => undefined), "within 1 s"],
    ["a body that stalls", () => new Response(stalling('{"data":[')), "within 1 s"],
  ])("fails on %s", async (_what, answer, reason) => {
    await expect(read(answer)).rejects.toThrow(reason);
  });

  test("asks for uncompressed JSON", async () => {
    using server = await rawServer();
    const models = readModels(`${server.origin}/v1`, new AbortController().signal);
    const connection = await server.request();
    connection.send(`HTTP/1.1 200 OK\r\ncontent-length: ${LIST.length}\r\n\r\n${LIST}`);
    await models;
    expect(connection.received().toLowerCase()).toContain("accept-encoding: identity\r\n");
  });

  test("fails on more models than the proxy can route, and says how many", async () => {
    using server = startModelServer();
    server.answer = () => Response.json({ data: Array(10_001).fill({ id: "m" }) });
    const models = readModels(`http://127.0.0.1:${server.port}/v1`, new AbortController().signal);
    await expect(models).rejects.toThrow(
      "the answer lists 10001 models; the proxy can route at most 10000",
    );
  });

  test.each<[what: string, answer: string, reason: string]>([
    ["closes the connection", "", "did it crash, or does http://127.0.0.1:"],
    [
      "breaks off its answer",
      'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"data":',
      "the server closed the connection before its answer to GET /v1/models was complete",
    ],
    ["speaks something else", "SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP: set the label"],
  ])("gives the reason when a server %s", async (_what, answer, reason) => {
    using server = await rawServer();
    const models = readModels(`${server.origin}/v1`, new AbortController().signal);
    models.catch(() => undefined);
    const connection = await server.request();
    connection.send(answer);
    connection.end();
    await expect(models).rejects.toThrow(reason);
  });

  test("stops reading 400 MB of JSON after 16 MiB, and keeps none of it", async () => {
    const piece = Buffer.alloc(1024 * 1024, '{"id":"aaaaaaaaaaaaaaaaaaaaa"},');
    let sent = 0;
    using server = startModelServer();
    server.answer = () => {
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
        sent += 1;
        controller.enqueue(sent === 1 ? Buffer.from('{"data":[') : piece);
        if (sent > 400) controller.close();
      };
      return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }));
    };
    const url = `http://127.0.0.1:${server.port}/v1`;
    const models = readModels(url, new AbortController().signal);
    await expect(models).rejects.toThrow("the answer is larger than 16 MiB");
    // The kernel's buffers and Bun's read-ahead come on top: up to 42 were seen.
    expect(sent).toBeWithin(16, 200);
  });

  test("fails when no server listens, and says what to do", async () => {
    await expect(readModels("http://127.0.0.1:1/v1", new AbortController().signal)).rejects.toThrow(
      "nothing listens at http://127.0.0.1:1: set the label inference.port",
    );
  });
});

test.each<[status: number, reason: string]>([
  [404, "404 Not Found – the server has no /v1/models: set the label inference.api.base_path"],
  [405, "405 Method Not Allowed – the server does not allow GET /v1/models"],
  [429, "429 Too Many Requests – the server says that the proxy asks too often"],
  [502, "502 Bad Gateway – the server is a gateway, and the server behind it does not answer"],
  [504, "504 Gateway Timeout – the server is a gateway, and the server behind it does not answer"],
  [507, "507 Insufficient Storage – the server failed: see its log"],
  [418, "418 I'm a Teapot – the server does not answer GET /v1/models with a list"],
])("statusReason() of %d", (status, reason) => {
  expect(statusReason(status, "/v1/models", null)).toStartWith(reason);
});
