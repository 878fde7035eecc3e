import { describe, expect, test } from "bun:test";
import { readModels } from "../../src/fleet/models.ts";
import { type ModelServer, startModelServer } from "../support/proxy/discovery.ts";
import { within } from "../support/until.ts";

const LIMITS = { timeoutMs: 2_000, bytesMax: 16_384 };

type Answer = ModelServer["answer"];

async function read(answer: Answer, info?: Answer): Promise<string> {
  using server = startModelServer();
  server.answer = answer;
  if (info !== undefined) server.info = info;
  const reading = readModels(
    `http://127.0.0.1:${server.port}/v1`,
    new AbortController().signal,
    LIMITS,
  );
  const { models } = await within("the models", reading);
  return `[${models.map(({ json }) => json).join()}]`;
}

describe("readModels()", () => {
  test("keeps every field as it was sent, numbers exactly as written", async () => {
    const data =
      '[{"id":"org/m","created":1.0,"size":12345678901234567890,"meta":{"n":[1e3,null]}}]';
    expect(await read(() => new Response(`{"models":[],"object":"list","data":${data}}`))).toBe(
      data,
    );
  });

  test("leaves out empty ids, and takes the first of two entries with the same id", async () => {
    const data = [{ id: "" }, { id: "a", n: 1 }, { id: "a", n: 2 }];
    expect(await read(() => Response.json({ data }))).toBe('[{"id":"a","n":1}]');
  });

  test("takes a list with a byte order mark, and with a character split over two pieces", async () => {
    const bytes = new TextEncoder().encode('\uFEFF{"data":[{"id":"ü"}]}');
    const body = new ReadableStream<Uint8Array>({
      type: "bytes",
      async start(controller) {
        for (const byte of bytes) {
          controller.enqueue(Uint8Array.of(byte));
          await Bun.sleep(1); // so that the bytes arrive one by one
        }
        controller.close();
      },
    });
    expect(await read(() => new Response(body))).toBe('[{"id":"ü"}]');
  });
});

/** From text-embeddings-inference 1.9, shortened. */
const INFO = {
  model_id: "BAAI/bge-small-en-v1.5",
  model_sha: null,
  model_type: { embedding: { pooling: "cls" } },
  max_input_length: 512,
  version: "1.9.0",
};

function stalling(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
  });
}

describe("readModels() of a server without a list", () => {
  test.each([404, 405])(
    "takes the model of /info at the root when /models is %d",
    async (status) => {
      const models = await read(
        () => new Response("", { status }),
        () => Response.json(INFO),
      );
      expect(JSON.parse(models)).toEqual([
        {
          id: "BAAI/bge-small-en-v1.5",
          object: "model",
          created: 0,
          owned_by: "text-embeddings-inference",
        },
      ]);
    },
  );

  test("asks /info at the root also for a server without a base path", async () => {
    using server = startModelServer();
    server.info = () => Response.json(INFO);
    const url = `http://127.0.0.1:${server.port}`; // it has /v1/models, but no /models
    const { models } = await readModels(url, new AbortController().signal, LIMITS);
    expect([models[0]?.id, server.reads()]).toEqual([INFO.model_id, 0]);
  });

  test.each<[what: string, info: Answer]>([
    ["missing", () => new Response("", { status: 404 })],
    ["503", () => Response.json(INFO, { status: 503 })],
    ["a redirect", () => Response.redirect("/v1/models", 302)],
    ["HTML", () => new Response("<html>")],
    ["a list", () => Response.json([INFO])],
    ["without model_id", () => Response.json({ version: "1" })],
    ["with an empty model_id", () => Response.json({ model_id: "" })],
    ["with a model_id that is not a string", () => Response.json({ model_id: 1 })],
    ["too large", () => Response.json({ ...INFO, more: "x".repeat(64 * 1024) })],
    ["silent", () => new Promise<Response>(() => undefined)],
    ["a stalled body", () => new Response(stalling('{"model_id":"m"'))],
  ])("reports the answer of /models when /info is %s", async (_what, info) => {
    const models = read(() => new Response("", { status: 404 }), info);
    await expect(models).rejects.toThrow("404 Not Found – the server has no /v1/models");
  });

  test.each([200, 302, 401, 403, 500, 503])(
    "does not ask /info when /models is %d",
    async (status) => {
      let asked = 0;
      const models = read(
        () => new Response("", { status }),
        () => {
          asked += 1;
          return Response.json(INFO);
        },
      );
      await expect(models).rejects.toThrow();
      expect(asked).toBe(0);
    },
  );

  test("both requests together have the time limit of one read", async () => {
    using server = startModelServer();
    server.answer = async () => {
      await Bun.sleep(500); // a slow server
      return new Response("", { status: 404 });
    };
    server.info = () => new Promise(() => undefined);
    const began = performance.now();
    const url = `http://127.0.0.1:${server.port}/v1`;
    const limits = { ...LIMITS, timeoutMs: 1_000 };
    await expect(readModels(url, new AbortController().signal, limits)).rejects.toThrow(
      "404 Not Found",
    );
    expect(performance.now() - began).toBeLessThan(1_450); // 1 s, not 0.5 + 1
  });
});
