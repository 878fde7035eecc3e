/** Every way to name a model, through the compiled binary and the official clients, in front of a fake engine. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI, { toFile } from "openai";
import { modelIds, post, untilModels } from "../../support/client/requests.ts";
import { FakeEngine } from "../../support/engine/fake.ts";
import { type CompiledProxy, startCompiled } from "../../support/proxy/compiled.ts";
import { until } from "../../support/until.ts";

/** A server that reports its own name, and records the models of its requests. */
function startServer(name: string, models: string[]): Bun.Server<undefined> {
  const card = (id: string): object => ({
    id,
    object: "model",
    created: 1_700_000_000,
    owned_by: name,
  });
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    routes: {
      "/v1/models": () => Response.json({ object: "list", data: models.map(card) }),
      "/v1/audio/transcriptions": async (request) => {
        const form = await request.formData();
        const file = form.get("file");
        const size = file instanceof Blob ? file.size : -1;
        return Response.json({ text: `${name} heard ${size} bytes for ${form.get("model")}` });
      },
      "/v1/responses": () => Response.json({ id: `resp_${name}`, object: "response", output: [] }),
      "/v1/responses/:id": ({ params, method }) =>
        Response.json({
          id: params.id,
          object: "response",
          output: [],
          metadata: { name, method },
        }),
      "/v1/responses/:id/cancel": ({ params }) =>
        Response.json({ id: params.id, status: "cancelled", output: [], metadata: { name } }),
      "/v1/load_lora_adapter": async (request) => {
        models.push(((await request.json()) as { lora_name: string }).lora_name);
        return new Response("Success");
      },
      "/v1/chat/completions": () => new Response(name),
      "/v1/rerank": () => new Response(name),
      "/v1/files": async (request) => new Response(`${name} ${(await request.bytes()).length}`),
    },
  });
}

let fake: FakeEngine;
let proxy: CompiledProxy;
let openai: OpenAI;
const servers: Bun.Server<undefined>[] = [];

function serve(name: string, ...models: string[]): void {
  const server = startServer(name, models);
  servers.push(server);
  fake.add({ name, port: server.port ?? 0 });
}

beforeAll(async () => {
  fake = await new FakeEngine().start();
  serve("whisper", "whisper-1");
  serve("llama", "llama-3");
  proxy = await startCompiled({
    env: { DOCKER_HOST: `unix://${fake.socketPath}`, PROXY_MODEL_SEARCH_LIMIT: "64KiB" },
  });
  openai = new OpenAI({ baseURL: `${proxy.origin}/v1`, apiKey: "x", maxRetries: 0 });
  await untilModels(proxy.origin, ["llama-3", "whisper-1"]);
});

afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  for (const server of servers) void server.stop(true);
  fake[Symbol.dispose]();
});

describe("a form", () => {
  test("from the openai client is routed, with the file before or after the model", async () => {
    const file = await toFile(Buffer.alloc(20_000, 'x\r\n--name="model"\r\n\r\nllama-3'), "a.wav");
    for (const params of [
      { file, model: "whisper-1" },
      { model: "whisper-1", file },
    ]) {
      const { text } = await openai.audio.transcriptions.create(params);
      expect(text).toBe("whisper heard 20000 bytes for whisper-1");
    }
  });

  test("with a file before the model that is larger than the limit: 413 that names the variable", async () => {
    const file = await toFile(Buffer.alloc(200_000), "a.wav");
    const form = new FormData();
    form.append("file", file);
    form.append("model", "whisper-1");
    const response = await fetch(`${proxy.origin}/v1/audio/transcriptions`, {
      method: "POST",
      body: form,
    });
    expect(response.status).toBe(413);
    expect(await response.text()).toContain("PROXY_MODEL_SEARCH_LIMIT");
  });

  test("that is broken: 400 that says what is missing", async () => {
    const headers = { "content-type": "multipart/form-data; boundary=b" };
    const body = "--b\r\nContent-Disposition: form-data; name=x\r\n\r\ny";
    const response = await fetch(`${proxy.origin}/v1/x`, { method: "POST", headers, body });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: "invalid_json" } });
  });
});

test("JSON with more bytes before the model than the limit gets 413; with the model first it is forwarded", async () => {
  const pad = "x".repeat(300_000);
  const late = await post(proxy.origin, "/v1/chat/completions", { pad, model: "llama-3" });
  expect(late.status).toBe(413);
  const early = await post(proxy.origin, "/v1/chat/completions", { model: "llama-3", pad });
  expect(await early.text()).toBe("llama");
});

test("a response is fetched, cancelled and deleted on the server that made it", async () => {
  const { id } = await openai.responses.create({ model: "llama-3", input: "x" });
  expect(id).toBe("resp_llama");
  expect((await openai.responses.retrieve(id)).metadata).toEqual({ name: "llama", method: "GET" });
  expect((await openai.responses.cancel(id)).metadata).toEqual({ name: "llama" });
  await openai.responses.delete(id);
  const nobody = await openai.responses.retrieve("resp_nobody").catch((error: unknown) => error);
  expect(nobody).toBeInstanceOf(OpenAI.NotFoundError);
  expect(nobody).toMatchObject({ code: "response_not_found" });
});

test("a response continues on the server that made the previous one, without a model", async () => {
  const { id } = await openai.responses.create({ model: "llama-3", input: "x" });
  const next = await openai.responses.create({ previous_response_id: id, input: "y" });
  expect(next.id).toBe("resp_llama");
});

test("?model= routes a body without a model, and a file larger than the limit", async () => {
  for (const model of ["llama-3", "whisper-1"]) {
    const [name] = model.split("-");
    const ranked = await post(proxy.origin, `/v1/rerank?model=${model}`, { query: "q", texts: [] });
    expect(await ranked.text()).toBe(name ?? "");
    const form = new FormData();
    form.append("file", new Blob([Buffer.alloc(3_000_000)]));
    const init = { method: "POST", body: form };
    const file = await fetch(`${proxy.origin}/v1/files?model=${model}`, init);
    expect(await file.text()).toMatch(new RegExp(`^${name} 3000\\d{3}$`));
  }
  const nowhere = await fetch(`${proxy.origin}/v1/files`);
  expect(nowhere.status).toBe(400);
  expect(await nowhere.text()).toContain("?model=");
});

test("an adapter that was loaded through the proxy is listed at once", async () => {
  const loaded = await post(proxy.origin, "/v1/load_lora_adapter?model=llama-3", {
    lora_name: "adapter",
  });
  expect(loaded.status).toBe(200);
  await until(
    "the adapter is listed",
    async () => (await modelIds(proxy.origin)).includes("adapter"),
    1_000,
  );
  const answer = await post(proxy.origin, "/v1/chat/completions", { model: "adapter" });
  expect(await answer.text()).toBe("llama");
});

test("Anthropic's client lists the models page by page, and fetches one", async () => {
  const anthropic = new Anthropic({ baseURL: proxy.origin, apiKey: "x", maxRetries: 0 });
  const listed: string[] = [];
  for await (const model of anthropic.models.list({ limit: 1 })) {
    expect(model).toMatchObject({
      type: "model",
      display_name: model.id,
      created_at: "2023-11-14T22:13:20.000Z",
    });
    listed.push(model.id);
  }
  expect(listed).toEqual([...(await modelIds(proxy.origin))]);
  expect(await anthropic.models.retrieve("llama-3")).toMatchObject({
    type: "model",
    id: "llama-3",
  });
});

test("the proxy finds the model of text-embeddings-inference through /info", async () => {
  const tei = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    routes: {
      "/info": () => Response.json({ model_id: "BAAI/bge-m3" }),
      "/v1/embeddings": () =>
        Response.json({
          object: "list",
          data: [{ object: "embedding", index: 0, embedding: [1] }],
        }),
    },
    fetch: () => new Response(null, { status: 404 }),
  });
  servers.push(tei);
  const container = fake.add({ name: "tei", port: tei.port ?? 0, health: "starting" });
  fake.setHealth(container, "healthy");
  await until("the model is listed", async () =>
    (await modelIds(proxy.origin)).includes("BAAI/bge-m3"),
  );
  const { data } = await openai.embeddings.create({
    model: "BAAI/bge-m3",
    input: "x",
    encoding_format: "float",
  });
  expect(data[0]?.embedding).toEqual([1]);
});

test("the error for an unknown model names similar models", async () => {
  const error = await openai.chat.completions
    .create({ model: "lama-3", messages: [] })
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(OpenAI.NotFoundError);
  expect(String(error)).toContain('did you mean "llama-3"');
});
