/** Model names, and containers that come and go, through the compiled binary in front of a fake engine. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import OpenAI from "openai";
import { modelIds, post, untilModels } from "../../support/client/requests.ts";
import { FakeEngine } from "../../support/engine/fake.ts";
import type { FakeContainer } from "../../support/engine/replies.ts";
import { type CompiledProxy, runCompiled, startCompiled } from "../../support/proxy/compiled.ts";
import { until } from "../../support/until.ts";

const ID = "llama3.2:latest";

/** Stands in for Ollama: it lists the full name, and accepts the short one. */
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  routes: {
    "/v1/models": () =>
      Response.json({
        object: "list",
        data: [
          { id: ID, object: "model", aliases: ["gpt-4o"] },
          { id: "adapter", object: "model", parent: "base" },
        ],
      }),
    "/v1/chat/completions": async (request) => {
      const { model } = (await request.json()) as { readonly model: string };
      return Response.json({ id: "c", object: "chat.completion", choices: [], model });
    },
  },
});

let fake: FakeEngine;
let proxy: CompiledProxy;
let container: FakeContainer;

beforeAll(async () => {
  fake = await new FakeEngine().start();
  container = fake.add({ name: "ollama", port: server.port ?? 0 });
  proxy = await startCompiled({ env: { DOCKER_HOST: `unix://${fake.socketPath}` } });
  await untilModels(proxy.origin, ["adapter", ID]);
});

afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  void server.stop(true);
  fake[Symbol.dispose]();
});

/** The error code and the message in the answer to a chat. */
async function told(model: string): Promise<string> {
  const response = await post(proxy.origin, "/v1/chat/completions", { model });
  const { error } = (await response.json()) as {
    readonly error?: { readonly code: string; readonly message: string };
  };
  return `${response.status} ${error?.code}: ${error?.message}`;
}

async function untilTold(text: string): Promise<void> {
  await until(`the error says: ${text}`, async () => (await told("llama3.2")).includes(text));
}

test("a name without a tag means latest, never another tag or another case", async () => {
  const openai = new OpenAI({ baseURL: `${proxy.origin}/v1`, apiKey: "x", maxRetries: 0 });
  const answer = await openai.chat.completions.create({ model: "llama3.2", messages: [] });
  expect(answer.model).toBe("llama3.2");
  expect((await openai.models.retrieve("llama3.2")).id).toBe(ID);
  expect(await modelIds(proxy.origin)).toEqual(["adapter", ID]);
  for (const model of ["llama3.2:7b", "Llama3.2"]) {
    expect(await told(model)).toStartWith("404 model_not_found: ");
  }
  expect(await told("LLAMA3.2:latest")).toContain(`"${ID}"`);
});

test("the proxy routes by an alias, and by the base and the name of an adapter, as the server lists them", async () => {
  expect([await told("gpt-4o"), await told("base:adapter")]).toEqual([
    expect.stringMatching(/^200 /),
    expect.stringMatching(/^200 /),
  ]);
  for (const model of ["gpt-4", "adapter:base", "other:adapter"]) {
    expect(await told(model)).toStartWith("404 model_not_found: ");
  }
});

test("when two containers have the same model, status says which one gets the requests", async () => {
  const young = fake.add({ name: "young", port: server.port ?? 0, health: "starting" });
  fake.setHealth(young, "healthy");
  const env = { PROXY_PORT: String(proxy.port) };
  const shown = async (): Promise<string> => (await runCompiled(env, ["status"])).stdout;
  await until("both are routed", async () => (await shown()).match(/ routed /g)?.length === 2);
  expect(await shown()).toContain(
    `${ID}, adapter (young gets the requests for models ${ID}, adapter: it became healthy later)\n`,
  );
  expect(await shown()).toContain(
    `${ID}, adapter (gets the requests for models ${ID}, adapter instead of ollama)\n`,
  );
  fake.exit(young);
  await until("one is routed", async () => (await shown()).match(/ routed /g)?.length === 1);
  expect(await shown()).not.toContain("requests of");
  fake.containers.delete(young.id);
  fake.emit(young, "destroy");
});

test("paused, running again, recreated under the same name: each 503 says what has happened", async () => {
  container.status = "paused";
  fake.emit(container, "pause");
  await untilTold(
    '503 backend_draining: Cannot route the request: every server of model "llama3.2" is paused; try again shortly',
  );
  container.status = "running";
  fake.emit(container, "unpause");
  await untilTold("200");
  fake.containers.delete(container.id);
  fake.emit(container, "destroy");
  await untilTold("404 model_not_found");
  const young = fake.add({ name: "ollama", port: server.port ?? 0, health: "starting" });
  fake.emit(young, "start");
  await untilTold(
    '503 backend_unavailable: Cannot route the request: the server of model "llama3.2" is starting; try again shortly',
  );
  fake.setHealth(young, "healthy");
  await untilTold("200");
});
