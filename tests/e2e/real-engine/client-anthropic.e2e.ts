/** Anthropic's own client, in front of containers of a real engine. */
import { describe, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
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
  watchFetch,
} from "../../support/client/official.ts";
import { within } from "../../support/until.ts";

const CHAT = "org/model";
const FLAKY = "flaky";
const QUESTION = {
  max_tokens: 64,
  messages: [{ role: "user" as const, content: "hello" }],
};

const stage = useStage({ [CHAT]: {}, [FLAKY]: {} });

function connect(options: ConstructorParameters<typeof Anthropic>[0] = {}): Anthropic {
  return new Anthropic({ apiKey: "unused", baseURL: stage.origin, ...options });
}

describe("messages", () => {
  test("a complete answer", async () => {
    const { data, response } = await connect()
      .messages.create({ model: CHAT, ...QUESTION })
      .withResponse();
    expect(data).toMatchObject({
      model: CHAT,
      content: [{ type: "text", text: textOf(stage.servers[CHAT], 5) }],
      stop_reason: "end_turn",
      usage: { output_tokens: 5 },
    });
    expect(response.headers.get("x-served-by")).toBe(stage.servers[CHAT].name);
  });

  test("streamed: every event, in order", async () => {
    const stream = await connect().messages.create({ model: CHAT, ...QUESTION, stream: true });
    const types = (await Array.fromAsync(stream)).map(({ type }) => type);
    expect(types).toEqual([
      "message_start",
      "content_block_start",
      ...Array.from({ length: 5 }, () => "content_block_delta" as const),
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
  });

  test("streamed with the client's helper: token by token, then the complete message", async () => {
    const stream = connect().messages.stream({ model: CHAT, ...QUESTION, ...PACE });
    const arrivals = new Arrivals();
    stream.on("text", (text) => arrivals.add(text));
    const message = await stream.finalMessage();
    arrivals.expectOneByOne(stage.servers[CHAT]);
    expect(message).toMatchObject({
      content: [{ type: "text", text: textOf(stage.servers[CHAT], PACE.tokens) }],
      stop_reason: "end_turn",
      usage: { output_tokens: PACE.tokens },
    });
  });

  test("countTokens", async () => {
    const { fetch, sentBytes } = watchFetch();
    const { messages } = QUESTION;
    const count = await connect({ fetch }).messages.countTokens({ model: CHAT, messages });
    expect(count.input_tokens).toBe(Math.ceil(sentBytes() / 4)); // the stand-in counts in this way
  });

  test("a client that gives up in the middle of a stream: the server notices it", async () => {
    const endless = { tokens: 1_000, token_delay_ms: 100 };
    const stream = connect().messages.stream({ model: CHAT, ...QUESTION, ...endless });
    stream.on("text", () => stream.abort());
    const failure = await within("the failure", failureOf(stream.done()));
    expect(failure).toBeInstanceOf(Anthropic.APIUserAbortError);
    await untilAborted(stage.servers[CHAT], CHAT);
  });
});

describe("models", () => {
  test("list: all of them, on one page", async () => {
    const { fetch, statuses } = watchFetch();
    const models = await Array.fromAsync(connect({ fetch }).models.list());
    expect(models.map(({ id }) => id)).toEqual([FLAKY, CHAT]);
    expect(statuses).toEqual([200]);
  });

  test("retrieve: an id with a slash", async () => {
    const model = await connect().models.retrieve(CHAT);
    expect(model).toMatchObject({ id: CHAT, max_model_len: 8192 });
  });

  test("retrieve: an unknown model gives a NotFoundError", async () => {
    const error = await failureOf(connect().models.retrieve("org/none"));
    expect(error).toBeInstanceOf(Anthropic.NotFoundError);
    expect(error).toMatchObject({ status: 404, type: "not_found_error" });
  });
});

describe("errors", () => {
  test("an unknown model gives a NotFoundError, without a retry", async () => {
    const { fetch, statuses } = watchFetch();
    const error = await failureOf(
      connect({ fetch }).messages.create({ model: "none", ...QUESTION }),
    );
    expect(error).toBeInstanceOf(Anthropic.NotFoundError);
    expect(error).toMatchObject({
      status: 404,
      type: "not_found_error",
      apiMessage: expect.stringContaining('no server has model "none"'),
    });
    expect(statuses).toEqual([404]);
  });

  test("a missing model gives a BadRequestError, without a retry", async () => {
    const { fetch, statuses } = watchFetch();
    const body = QUESTION as typeof QUESTION & { readonly model: string };
    const error = await failureOf(connect({ fetch }).messages.create(body));
    expect(error).toBeInstanceOf(Anthropic.BadRequestError);
    expect(error).toMatchObject({ status: 400, type: "invalid_request_error" });
    expect(statuses).toEqual([400]);
  });

  test("a server that is unhealthy for a moment: the client retries by itself, and gets an answer", async () => {
    await turnUnhealthy(stage, FLAKY);
    const body = { model: FLAKY, ...QUESTION };
    const error = await failureOf(connect({ maxRetries: 0 }).messages.create(body));
    expect(error).toBeInstanceOf(Anthropic.ServiceUnavailableError);
    expect(error).toMatchObject({ status: 503, type: "overloaded_error" });
    const watched = recoverAfter503(stage.servers[FLAKY]);
    const { content } = await connect({ fetch: watched.fetch }).messages.create(body);
    expect(content).toMatchObject([{ text: textOf(stage.servers[FLAKY], 5) }]);
    expectRetried(watched);
  });
});
