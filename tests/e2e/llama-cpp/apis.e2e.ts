/** Every API of the real llama.cpp through the compiled binary, with the official clients and by hand. */
import { describe, expect, test } from "bun:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import Anthropic from "@anthropic-ai/sdk";
import { embed, generateText, streamText } from "ai";
import OpenAI from "openai";
import { failureOf } from "../../support/client/official.ts";
import { post } from "../../support/client/requests.ts";
import { useLlamaStage } from "../../support/llama-cpp/stage.ts";

const MESSAGES = [{ role: "user" as const, content: "hello" }];
const TOKENS = 12;
const WIDTH = 64;
const CHAT = { model: "chat", messages: MESSAGES, max_tokens: TOKENS };

const llama = useLlamaStage("chat", "embeddings", "rerank", "router");

function openai(): OpenAI {
  return new OpenAI({ apiKey: "unused", baseURL: `${llama.origin}/v1`, maxRetries: 0 });
}

function anthropic(): Anthropic {
  return new Anthropic({ apiKey: "unused", baseURL: llama.origin, maxRetries: 0 });
}

describe("OpenAI's client", () => {
  test("chat: the complete answer and the stream have the same text", async () => {
    const whole = await openai().chat.completions.create(CHAT);
    expect(whole).toMatchObject({ model: "chat", usage: { completion_tokens: TOKENS } });
    const stream = await openai().chat.completions.create({ ...CHAT, stream: true });
    const chunks = await Array.fromAsync(stream);
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
    expect(text).toHaveLength(TOKENS);
    expect(whole.choices[0]?.message.content).toBe(text);
  });

  test("completions: the complete answer and the stream have the same text", async () => {
    const body = { model: "chat", prompt: "hello", max_tokens: TOKENS };
    const whole = await openai().completions.create(body);
    const stream = await openai().completions.create({ ...body, stream: true });
    const chunks = await Array.fromAsync(stream);
    const text = chunks.map(({ choices }) => choices[0]?.text ?? "").join("");
    expect(text).toHaveLength(TOKENS);
    expect(whole.choices[0]?.text).toBe(text);
  });

  test("responses: the complete answer and the stream have the same text", async () => {
    const body = { model: "chat", input: "hello", max_output_tokens: TOKENS };
    const whole = await openai().responses.create(body);
    expect(whole.output_text).toHaveLength(TOKENS);
    // Not with the client's `responses.stream()`, which requires an `output_index`. llama.cpp 0.7.0 does not
    // send it.
    const stream = await openai().responses.create({ ...body, stream: true });
    const events = await Array.fromAsync(stream);
    const deltas = events.map((one) =>
      one.type === "response.output_text.delta" ? one.delta : "",
    );
    expect(deltas.join("")).toBe(whole.output_text);
    expect(events.at(-1)?.type).toBe("response.completed");
  });

  test("embeddings: as numbers, and as base64, which the client requests by default", async () => {
    const body = { model: "embed", input: ["hello", "goodbye"] };
    const asked = await openai().embeddings.create(body);
    const numbers = await openai().embeddings.create({ ...body, encoding_format: "float" });
    expect(numbers.data.map(({ embedding }) => embedding.length)).toEqual([WIDTH, WIDTH]);
    for (const [index, { embedding }] of numbers.data.entries()) {
      const other = asked.data[index]?.embedding ?? [];
      for (const [at, value] of embedding.entries()) expect(other[at]).toBeCloseTo(value, 5);
    }
  });

  test("passes on the server's own error", async () => {
    const embedding = openai().embeddings.create({ model: "chat", input: "hello" });
    expect(await failureOf(embedding)).toMatchObject({ status: 501, type: "not_supported_error" });
  });
});

describe("Anthropic's client", () => {
  const question = { model: "chat", messages: MESSAGES, max_tokens: TOKENS };

  test("messages: the complete answer and the stream have the same text", async () => {
    const whole = await anthropic().messages.create(question);
    expect(whole).toMatchObject({ stop_reason: "max_tokens", usage: { output_tokens: TOKENS } });
    const text = await anthropic().messages.stream(question).finalText();
    expect(text).toHaveLength(TOKENS);
    expect(whole.content).toEqual([expect.objectContaining({ type: "text", text })]);
  });

  test("count_tokens: one token for each byte of the prompt that the template makes", async () => {
    const count = await anthropic().messages.countTokens({ model: "chat", messages: MESSAGES });
    const bos = 1;
    expect(count.input_tokens).toBe(bos + "user: hello\nassistant: ".length);
  });
});

describe("the AI SDK", () => {
  const provider = (): ReturnType<typeof createOpenAICompatible> =>
    createOpenAICompatible({ name: "proxy", baseURL: `${llama.origin}/v1` });
  const question = { prompt: "hello", maxOutputTokens: TOKENS, maxRetries: 0 };

  test("generateText and streamText return the same text", async () => {
    const { text, finishReason } = await generateText({ model: provider()("chat"), ...question });
    expect(text).toHaveLength(TOKENS);
    expect(finishReason).toBe("length");
    expect(await streamText({ model: provider()("chat"), ...question }).text).toBe(text);
  });

  test("embed", async () => {
    const model = provider().embeddingModel("embed");
    expect((await embed({ model, value: "hello" })).embedding).toHaveLength(WIDTH);
  });
});

describe("by hand", () => {
  test("rerank: every document has a score, and the best comes first", async () => {
    const documents = ["hell", "zebra", "o"];
    const answer = await post(llama.origin, "/v1/rerank", {
      model: "rerank",
      query: "hello",
      documents,
    });
    const { results } = (await answer.json()) as {
      readonly results: readonly { readonly index: number; readonly relevance_score: number }[];
    };
    const scores = results.map(({ relevance_score }) => relevance_score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(results.map(({ index }) => index).sort()).toEqual([0, 1, 2]);
  });

  test("the list has the models as their servers list them", async () => {
    const list = await openai().models.list();
    const chat = list.data.find(({ id }) => id === "chat");
    expect(chat).toMatchObject({ owned_by: "llamacpp", aliases: ["chat", "chat-alias"] });
    const tiny = list.data.find(({ id }) => id === "tiny");
    expect(tiny).toMatchObject({ status: { value: expect.any(String) }, source: "models_dir" });
  });
});

describe("--alias chat,chat-alias", () => {
  test("the second name gets the same answer as the first", async () => {
    const first = await openai().chat.completions.create(CHAT);
    const second = await openai().chat.completions.create({ ...CHAT, model: "chat-alias" });
    expect(second.choices).toEqual(first.choices);
  });

  test("GET /v1/models/chat-alias returns the model's own object", async () => {
    expect(await openai().models.retrieve("chat-alias")).toMatchObject({ id: "chat" });
  });
});

describe("--models-dir", () => {
  test("each model answers: the server loads it at its first request", async () => {
    const answers = ["tiny", "other"].map(async (model) => {
      const { choices } = await openai().chat.completions.create({ ...CHAT, model });
      return choices[0]?.message.content;
    });
    const [tiny, other] = await Promise.all(answers);
    expect(tiny).not.toBe(other);
  });
});
