/** OpenAI's own client, in front of containers of a real engine. */
import { describe, expect, test } from "bun:test";
import OpenAI from "openai";
import {
  Arrivals,
  expectRetried,
  failureOf,
  lastSeen,
  PACE,
  recoverAfter503,
  textOf,
  turnUnhealthy,
  untilAborted,
  useStage,
  watchFetch,
} from "../../support/client/official.ts";
import { until, within } from "../../support/until.ts";

const CHAT = "org/model";
const EMBED = "embed";
const FLAKY = "flaky";
const MESSAGES = [{ role: "user" as const, content: "hello" }];
/** Fields of the stand-in server. The answer takes longer than any test, so only a hang-up ends it. */
const ENDLESS = { tokens: 1_000, token_delay_ms: 100 };

const stage = useStage({
  [CHAT]: {},
  [EMBED]: {
    env: { PORT: "9000", BASE_PATH: "/api" },
    labels: { "inference.port": "9000", "inference.api.base_path": "/api" },
  },
  [FLAKY]: {},
});

function connect(options: ConstructorParameters<typeof OpenAI>[0] = {}): OpenAI {
  return new OpenAI({ apiKey: "unused", baseURL: `${stage.origin}/v1`, ...options });
}

describe("models", () => {
  test("list: all of them, as the servers sent them", async () => {
    const models = await Array.fromAsync(connect().models.list());
    expect(models.map(({ id }) => id)).toEqual([EMBED, FLAKY, CHAT]);
    expect(models).toContainEqual(expect.objectContaining({ id: CHAT, max_model_len: 8192 }));
  });

  test("retrieve: an id with a slash", async () => {
    expect(await connect().models.retrieve(CHAT)).toMatchObject({ id: CHAT, max_model_len: 8192 });
  });

  test("retrieve: an unknown model gives a NotFoundError", async () => {
    const error = await failureOf(connect().models.retrieve("org/none"));
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error).toMatchObject({ status: 404, code: "model_not_found" });
  });
});

describe("chat", () => {
  test("a complete answer", async () => {
    const { data, response } = await connect()
      .chat.completions.create({ model: CHAT, messages: MESSAGES })
      .withResponse();
    expect(data.choices[0]?.message.content).toBe(textOf(stage.servers[CHAT], 5));
    expect(data).toMatchObject({ model: CHAT, usage: { completion_tokens: 5 } });
    expect(response.headers.get("x-served-by")).toBe(stage.servers[CHAT].name);
  });

  test("streamed: token by token, then the usage", async () => {
    const stream = await connect().chat.completions.create({
      model: CHAT,
      messages: MESSAGES,
      stream: true,
      stream_options: { include_usage: true },
      ...PACE,
    });
    const arrivals = new Arrivals();
    const totals: unknown[] = [];
    for await (const { choices, usage } of stream) {
      const text = choices[0]?.delta.content ?? "";
      if (text !== "") arrivals.add(text);
      if (usage) totals.push(usage.completion_tokens);
    }
    arrivals.expectOneByOne(stage.servers[CHAT]);
    expect(totals).toEqual([PACE.tokens]);
  });

  test("an image of 12 MB as a data URL, before the model", async () => {
    const image = Buffer.alloc(12_000_000, "not really a picture");
    const url = `data:image/png;base64,${image.toString("base64")}`;
    const { fetch, sentBytes } = watchFetch();
    const { usage } = await connect({ fetch }).chat.completions.create({
      messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }],
      model: CHAT,
    });
    expect(sentBytes()).toBeGreaterThan(16_000_000);
    expect(usage?.prompt_tokens).toBe(Math.ceil(sentBytes() / 4)); // the stand-in counts in this way
  });
});

describe("other kinds of requests", () => {
  test("completions, complete and streamed", async () => {
    const { completions } = connect();
    const whole = await completions.create({ model: CHAT, prompt: "hello" });
    expect(whole.choices[0]?.text).toBe(textOf(stage.servers[CHAT], 5));
    const stream = await completions.create({ model: CHAT, prompt: "hello", stream: true });
    const chunks = await Array.fromAsync(stream);
    expect(chunks.map(({ choices }) => choices[0]?.text).join("")).toBe(
      textOf(stage.servers[CHAT], 5),
    );
  });

  test("embeddings, from a server with another port and base path", async () => {
    const { data, response } = await connect()
      .embeddings.create({ model: EMBED, input: "hello" })
      .withResponse();
    expect(data.data[0]?.embedding).toEqual([0.25, -0.5, 0.125]);
    expect(response.headers.get("x-served-by")).toBe(stage.servers[EMBED].name);
  });

  test("responses, complete", async () => {
    const response = await connect().responses.create({ model: CHAT, input: "hello" });
    expect(response.output_text).toBe(textOf(stage.servers[CHAT], 5));
    expect(response).toMatchObject({ status: "completed", usage: { output_tokens: 5 } });
  });

  test("responses, streamed", async () => {
    const stream = connect().responses.stream({ model: CHAT, input: "hello", ...PACE });
    const arrivals = new Arrivals();
    stream.on("response.output_text.delta", ({ delta }) => arrivals.add(delta));
    const response = await stream.finalResponse();
    arrivals.expectOneByOne(stage.servers[CHAT]);
    expect(response.output_text).toBe(textOf(stage.servers[CHAT], PACE.tokens));
  });
});

describe("errors", () => {
  test("an unknown model gives a NotFoundError, without a retry", async () => {
    const { fetch, statuses } = watchFetch();
    const error = await failureOf(
      connect({ fetch }).chat.completions.create({ model: "none", messages: MESSAGES }),
    );
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error).toMatchObject({ code: "model_not_found", param: "model" });
    expect(String(error)).toContain('no server has model "none"');
    expect(statuses).toEqual([404]);
  });

  test("a missing model gives a BadRequestError, without a retry", async () => {
    const { fetch, statuses } = watchFetch();
    const body = { messages: MESSAGES } as unknown as { messages: typeof MESSAGES; model: string };
    const error = await failureOf(connect({ fetch }).chat.completions.create(body));
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({ code: "model_required", param: "model" });
    expect(statuses).toEqual([400]);
  });

  test("a server that is unhealthy for a moment: the client retries by itself, and gets an answer", async () => {
    await turnUnhealthy(stage, FLAKY);
    const body = { model: FLAKY, messages: MESSAGES };
    const error = await failureOf(connect({ maxRetries: 0 }).chat.completions.create(body));
    expect(error).toBeInstanceOf(OpenAI.InternalServerError);
    expect(error).toMatchObject({ status: 503, code: "backend_draining" });
    const watched = recoverAfter503(stage.servers[FLAKY]);
    const answer = await connect({ fetch: watched.fetch }).chat.completions.create(body);
    expect(answer.choices[0]?.message.content).toBe(textOf(stage.servers[FLAKY], 5));
    expectRetried(watched);
  });
});

describe("a client that gives up", () => {
  test("in the middle of a stream: the server notices it", async () => {
    const body = { model: CHAT, messages: MESSAGES, stream: true as const, ...ENDLESS };
    const readOneToken = async (): Promise<void> => {
      for await (const { choices } of await connect().chat.completions.create(body)) {
        if (choices[0]?.delta.content === stage.servers[CHAT].name) break; // the client aborts
      }
    };
    await within("the first token", readOneToken());
    await untilAborted(stage.servers[CHAT], CHAT);
  });

  test("before a complete answer: the server notices it", async () => {
    const abort = new AbortController();
    const body = { model: CHAT, messages: MESSAGES, ...ENDLESS };
    const failure = failureOf(connect().chat.completions.create(body, { signal: abort.signal }));
    const isOpen = async (): Promise<boolean> =>
      (await lastSeen(stage.servers[CHAT], CHAT)) === "open";
    await until("the server has the request", isOpen);
    abort.abort();
    expect(await within("the failure", failure)).toBeInstanceOf(OpenAI.APIUserAbortError);
    await untilAborted(stage.servers[CHAT], CHAT);
  });
});
