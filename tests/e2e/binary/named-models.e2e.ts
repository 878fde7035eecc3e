/**
 * A server whose label names its models, through the compiled binary
 * and the official client, in front of a fake engine.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { chat, untilModels } from "../../support/client/requests.ts";
import { FakeEngine } from "../../support/engine/fake.ts";
import { type CompiledProxy, runCompiled, startCompiled } from "../../support/proxy/compiled.ts";

const KEY = "sk-of-the-server";

/** The path of every request that the server got. */
const asked: string[] = [];

/** Requires a key for every path, including its model list, as vLLM does with --api-key. */
function startKeyed(): Bun.Server<undefined> {
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      if (request.headers.get("authorization") !== `Bearer ${KEY}`) {
        return Response.json({ error: "Unauthorized" }, { status: 401 });
      }
      if (pathname !== "/v1/chat/completions") return new Response("", { status: 404 });
      const { model } = (await request.json()) as { model: string };
      const message = { role: "assistant", content: `I am ${model}` };
      const choices = [{ index: 0, finish_reason: "stop", message }];
      return Response.json({ id: "c", object: "chat.completion", created: 1, model, choices });
    },
  });
}

let fake: FakeEngine;
let proxy: CompiledProxy;
let server: Bun.Server<undefined>;

beforeAll(async () => {
  fake = await new FakeEngine().start();
  server = startKeyed();
  const labels = {
    "inference.enable": "true",
    "inference.port": String(server.port),
    "inference.network": "",
    "inference.models": "org/chat, chat",
  };
  fake.add({ name: "keyed", labels });
  proxy = await startCompiled({ env: { DOCKER_HOST: `unix://${fake.socketPath}` } });
  await untilModels(proxy.origin, ["chat", "org/chat"]);
});

afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  void server.stop(true);
  fake[Symbol.dispose]();
});

function client(apiKey: string): OpenAI {
  return new OpenAI({ baseURL: `${proxy.origin}/v1`, apiKey, maxRetries: 0 });
}

describe("a server whose label names its models, and whose model list requires a key", () => {
  test.each(["chat", "org/chat"])(
    "answers requests for %s with the client's key",
    async (model) => {
      const { choices } = await client(KEY).chat.completions.create({ model, messages: [] });
      expect(choices[0]?.message.content).toBe(`I am ${model}`);
    },
  );

  test("refuses a wrong key itself", async () => {
    const error = await client("other")
      .chat.completions.create({ model: "chat", messages: [] })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
  });

  test("is listed under these names, in the list and one by one", async () => {
    const entry = { object: "model", created: 0, owned_by: "keyed" };
    const { data } = await client("x").models.list();
    expect(data).toEqual([
      { id: "chat", ...entry },
      { id: "org/chat", ...entry },
    ] as typeof data);
    expect(await client("x").models.retrieve("org/chat")).toMatchObject({ id: "org/chat" });
  });

  test("gets no request for another model, and no request for its model list", async () => {
    const before = asked.length;
    const response = await chat(proxy.origin, "other");
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { code: "model_not_found" } });
    expect(asked.slice(before)).toEqual([]);
    expect(asked.filter((path) => path !== "/v1/chat/completions")).toEqual([]);
  });

  test("status shows it as routed, and says where its names come from", async () => {
    const env = { PROXY_PORT: String(proxy.port) };
    const { code, stdout } = await runCompiled(env, ["status", "--json"]);
    expect(code).toBe(0);
    const reason = "healthy; the label inference.models names its models";
    const models = ["chat", "org/chat"].map((id) => ({ id, waiting: 0 }));
    expect(JSON.parse(stdout)).toMatchObject({ containers: [{ state: "routed", reason }], models });
  });
});
