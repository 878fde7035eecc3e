/** Vercel's AI SDK with its provider for OpenAI-compatible servers, in front of containers of a real engine. */
import { describe, expect, test } from "bun:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embed, embedMany, generateText, streamText } from "ai";
import {
  Arrivals,
  expectRetried,
  failureOf,
  PACE,
  recoverAfter503,
  textOf,
  turnUnhealthy,
  untilAborted,
  useStage,
  type WatchedFetch,
  watchFetch,
} from "../../support/client/official.ts";

const CHAT = "org/model";
const EMBED = "embed";
const FLAKY = "flaky";
const PROMPT = "hello";
const VECTOR = [0.25, -0.5, 0.125];

const ENV = { TOKENS: String(PACE.tokens), TOKEN_DELAY_MS: String(PACE.token_delay_ms) };
const stage = useStage({ [CHAT]: { env: ENV }, [EMBED]: {}, [FLAKY]: {} });

function connect({ fetch }: Pick<WatchedFetch, "fetch"> = watchFetch()) {
  return createOpenAICompatible({
    name: "proxy",
    baseURL: `${stage.origin}/v1`,
    includeUsage: true,
    fetch,
  });
}

test("generateText", async () => {
  const { text, usage, finishReason, response } = await generateText({
    model: connect()(CHAT),
    prompt: PROMPT,
  });
  expect(text).toBe(textOf(stage.servers[CHAT], PACE.tokens));
  expect([usage.outputTokens, finishReason]).toEqual([PACE.tokens, "stop"]);
  expect(response.headers).toMatchObject({ "x-served-by": stage.servers[CHAT].name });
});

describe("streamText", () => {
  test("the chunks arrive one by one", async () => {
    const { textStream, usage, finishReason } = streamText({
      model: connect()(CHAT),
      prompt: PROMPT,
    });
    const arrivals = new Arrivals();
    for await (const text of textStream) arrivals.add(text);
    arrivals.expectOneByOne(stage.servers[CHAT]);
    expect([(await usage).outputTokens, await finishReason]).toEqual([PACE.tokens, "stop"]);
  });

  test("aborted in the middle: the server notices it", async () => {
    const abort = new AbortController();
    const { textStream } = streamText({
      model: connect()(CHAT),
      prompt: PROMPT,
      abortSignal: abort.signal,
    });
    for await (const _ of textStream) abort.abort();
    await untilAborted(stage.servers[CHAT], CHAT);
  });
});

test("embed and embedMany", async () => {
  const model = connect().embeddingModel(EMBED);
  expect((await embed({ model, value: PROMPT })).embedding).toEqual(VECTOR);
  expect((await embedMany({ model, values: [PROMPT] })).embeddings).toEqual([VECTOR]);
});

describe("errors", () => {
  test("an unknown model gives an APICallError with status 404, without a retry", async () => {
    const watched = watchFetch();
    const error = await failureOf(
      generateText({ model: connect(watched)("none"), prompt: PROMPT }),
    );
    expect(error).toBeInstanceOf(APICallError);
    expect(error).toMatchObject({
      statusCode: 404,
      isRetryable: false,
      message: expect.stringContaining('no server has model "none"'),
      data: { error: { code: "model_not_found" } },
    });
    expect(watched.statuses).toEqual([404]);
  });

  test("a server that is unhealthy for a moment: the client retries by itself, and gets an answer", async () => {
    await turnUnhealthy(stage, FLAKY);
    const once = { model: connect()(FLAKY), prompt: PROMPT, maxRetries: 0 };
    const error = await failureOf(generateText(once));
    expect(error).toBeInstanceOf(APICallError);
    expect(error).toMatchObject({ statusCode: 503, isRetryable: true });
    const watched = recoverAfter503(stage.servers[FLAKY]);
    const { text } = await generateText({ model: connect(watched)(FLAKY), prompt: PROMPT });
    expect(text).toBe(textOf(stage.servers[FLAKY], 5));
    expectRetried(watched);
  });
});
