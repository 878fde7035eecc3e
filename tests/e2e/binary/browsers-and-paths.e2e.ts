/**
 * Preflights of browsers, and inference paths outside `/v1`,
 * through the compiled binary in front of a fake engine.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { post, untilModels } from "../../support/client/requests.ts";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import { type CompiledProxy, startCompiled } from "../../support/proxy/compiled.ts";
import { type FakeBackend, fakeBackend } from "../../support/server/scripted.ts";

const BASE_PATH = "/engine/v3";

/** Allows certain pages, as a chat server does that was configured for it. */
let chat: FakeBackend;
/** Refuses every `OPTIONS`, as Ollama does for origins that it does not know. */
let ollama: FakeBackend;
let engine: FakeEngine;
let proxy: CompiledProxy;

function serve(server: FakeBackend, labels: Record<string, string> = {}): void {
  const { port } = new URL(server.origin);
  engine.add({ labels: { "inference.enable": "true", "inference.port": port, ...labels } });
}

beforeAll(async () => {
  chat = fakeBackend(({ target }) =>
    target === `${BASE_PATH}/models`
      ? Response.json({ data: [{ id: "chat" }] })
      : new Response(target, { headers: { "access-control-allow-origin": "http://page.test" } }),
  );
  ollama = fakeBackend(({ method, target }) => {
    if (method === "OPTIONS") return new Response(null, { status: 403 });
    return target === "/v1/models"
      ? Response.json({ data: [{ id: "embed" }] })
      : new Response(target);
  });
  engine = await new FakeEngine().start();
  serve(chat, { "inference.api.base_path": BASE_PATH });
  serve(ollama);
  proxy = await startCompiled({ env: envOf(engine) });
  await untilModels(proxy.origin, ["chat", "embed"]);
});

afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  for (const part of [chat, ollama, engine]) part[Symbol.dispose]();
});

test("a page can send requests to every server, also when one of two refuses OPTIONS", async () => {
  const origin = "http://page.test";
  for (const path of ["/v1/chat/completions", "/v1/models", "/api/chat"]) {
    const preflight = await fetch(`${proxy.origin}${path}`, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
      },
    });
    expect(preflight.status).toBe(204);
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": "authorization,content-type",
      "access-control-max-age": "7200",
    });
    expect(preflight.headers.has("access-control-allow-credentials")).toBe(false);
  }
  const answer = await fetch(`${proxy.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { origin },
    body: '{"model":"chat"}',
  });
  expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
  const methods = [...chat.received, ...ollama.received].map(({ method }) => method);
  expect(methods).not.toContain("OPTIONS");
});

test("an inference path outside /v1 reaches the server of its model unchanged, and other paths do not", async () => {
  const ask = async (path: string, body: object): Promise<string> =>
    (await post(proxy.origin, path, body)).text();
  expect(await ask("/rerank", { model: "chat" })).toBe("/rerank");
  expect(await ask("/v1/rerank", { model: "chat" })).toBe(`${BASE_PATH}/rerank`);
  expect(await ask("/api/embed?x=1", { model: "embed" })).toBe("/api/embed?x=1");
  expect(await ask("/embed?model=embed", { inputs: "x" })).toBe("/embed?model=embed");
  expect(await ask("/embed", { inputs: "x" })).toContain('"code":"model_required"');
  expect(await ask("/embed", { model: "x" })).toContain('"code":"model_not_found"');
  for (const path of ["/api/delete", "/api/pull", "/v1/../api/delete", "/api/%67enerate"]) {
    expect(await ask(path, { model: "embed" })).toContain('"code":"not_found"');
  }
  const paths = ollama.received.map(({ target }) => target);
  expect(paths.filter((path) => path !== "/v1/models")).toEqual([
    "/api/embed?x=1",
    "/embed?model=embed",
  ]);
});

test("the base URL answers, and a wrong one gets an error that says what is wrong", async () => {
  const get = async (path: string): Promise<string> =>
    (await fetch(`${proxy.origin}${path}`)).text();
  expect(JSON.parse(await get("/v1"))).toMatchObject({ models: "/v1/models" });
  expect(await get("/v1/models/")).toBe(await get("/v1/models"));
  expect(await get("/health")).toBe("ok\n");
  expect(await get("/v1/v1/models")).toContain("the base URL ends in /v1 already");
  expect(await get("/v1//models")).toContain("two slashes in a row");
  expect(await get("/models")).toContain("the base URL lacks /v1");
});
