/**
 * A llama.cpp server with `--api-key` behind the compiled binary. A label names its models. The server's own
 * list is public, and has other names.
 */
import { expect, test } from "bun:test";
import OpenAI from "openai";
import { failureOf } from "../../support/client/official.ts";
import { KEY } from "../../support/llama-cpp/containers.ts";
import { useLlamaStage } from "../../support/llama-cpp/stage.ts";

const CHAT = { messages: [{ role: "user" as const, content: "hello" }], max_tokens: 5 };

const llama = useLlamaStage("keyed");

function openai(apiKey: string): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${llama.origin}/v1`, maxRetries: 0 });
}

test("the list has the names of the label, and not the name that the server lists", async () => {
  const list = await openai("unused").models.list();
  const of = { object: "model", created: 0, owned_by: llama.servers.keyed.name };
  expect(list.data).toEqual([
    { id: "keyed", ...of },
    { id: "keyed-too", ...of },
  ] as OpenAI.Models.Model[]);
});

test("the client's key reaches the server, and the server refuses a wrong one", async () => {
  const body = { ...CHAT, model: "keyed-too" };
  const answer = await openai(KEY).chat.completions.create(body);
  expect(answer.usage?.completion_tokens).toBe(CHAT.max_tokens);
  const refused = await failureOf(openai("wrong").chat.completions.create(body));
  expect(refused).toMatchObject({ status: 401, type: "authentication_error" });
});

test("the proxy routes no other model to it", async () => {
  const body = { ...CHAT, model: "unlisted" };
  const refused = await failureOf(openai(KEY).chat.completions.create(body));
  expect(refused).toMatchObject({ status: 404, code: "model_not_found" });
});
