import { describe, expect, test } from "bun:test";
import { type Usage, UsageReader } from "../../src/telemetry/usage.ts";

const NONE = { input: undefined, output: undefined };

function events(...values: readonly unknown[]): string {
  return values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join("");
}

/** The usage of an answer in one piece. */
function usageOf(text: string, isEventStream: boolean): Usage {
  const reader = new UsageReader(isEventStream, false);
  reader.push(new TextEncoder().encode(text));
  return reader.usage;
}

describe("UsageReader, of a body", () => {
  test.each<[what: string, body: string, usage: object]>([
    [
      "OpenAI",
      '{"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}',
      { input: 3, output: 5 },
    ],
    [
      "embeddings",
      '{"data":[],"usage":{"prompt_tokens":3,"total_tokens":3}}',
      { input: 3, output: undefined },
    ],
    ["Responses", '{"usage":{"input_tokens":3,"output_tokens":5}}', { input: 3, output: 5 }],
    [
      "Anthropic with a cache",
      '{"usage":{"input_tokens":3,"cache_read_input_tokens":10,"cache_creation_input_tokens":100,"output_tokens":5}}',
      { input: 113, output: 5 },
    ],
    ["no usage", '{"choices":[]}', NONE],
    ["null", '{"usage":null}', NONE],
    ["an array", '{"usage":[1,2]}', NONE],
    ["a number", '{"usage":12}', NONE],
    [
      "a text that looks like it",
      '{"choices":[{"text":"\\"usage\\":{\\"prompt_tokens\\":9}"}]}',
      NONE,
    ],
    ["no nested usage", '{"choices":[{"usage":{"prompt_tokens":9}}]}', NONE],
    ["no usage in a message", '{"message":{"usage":{"prompt_tokens":9}}}', NONE],
    [
      "negative",
      '{"usage":{"prompt_tokens":-3,"completion_tokens":5}}',
      { input: undefined, output: 5 },
    ],
    [
      "fractions",
      '{"usage":{"prompt_tokens":3.5,"completion_tokens":5}}',
      { input: undefined, output: 5 },
    ],
    ["text", '{"usage":{"prompt_tokens":"3","completion_tokens":1e400}}', NONE],
    ["a prototype", '{"usage":{"__proto__":{"prompt_tokens":3}}}', NONE],
    ["not JSON", 'x"usage":{x}}', NONE],
    ["broken off", '{"usage":{"prompt_tokens":3,"comple', NONE],
  ])("reads %s", (_what, body, usage) => {
    expect(usageOf(body, false)).toEqual(usage as Usage);
  });
});

describe("UsageReader, of an event stream", () => {
  test.each<[what: string, text: string, usage: object]>([
    [
      "OpenAI",
      `${events({ choices: [1], usage: null }, { choices: [], usage: { prompt_tokens: 3, completion_tokens: 5 } })}data: [DONE]\n\n`,
      { input: 3, output: 5 },
    ],
    [
      "the last of many",
      events(...[1, 2, 3].map((n) => ({ usage: { prompt_tokens: 7, completion_tokens: n } }))),
      { input: 7, output: 3 },
    ],
    [
      "Responses",
      events({
        type: "response.completed",
        response: { usage: { input_tokens: 3, output_tokens: 5 }, user: null },
      }),
      { input: 3, output: 5 },
    ],
    [
      "Anthropic",
      events(
        {
          type: "message_start",
          message: { id: "x", usage: { input_tokens: 3, output_tokens: 1 } },
        },
        { type: "message_delta", delta: {}, usage: { output_tokens: 5 } },
        { type: "message_stop" },
      ),
      { input: 3, output: 5 },
    ],
    [
      "lines that end in CR LF",
      'data: {"usage":{"prompt_tokens":3}}\r\n\r\ndata: [DONE]\r\n\r\n',
      { input: 3, output: undefined },
    ],
    [
      "no space after the colon",
      'data:{"usage":{"prompt_tokens":3}}\n\n',
      { input: 3, output: undefined },
    ],
    ["a comment", ': {"usage":{"prompt_tokens":3}}\n\n', NONE],
    [
      "text that looks like it",
      events({ choices: [{ delta: { content: '{"usage":{"prompt_tokens":3}}' } }] }),
      NONE,
    ],
    [
      "a tool that is called so",
      events({
        response: { tools: [{ usage: { prompt_tokens: 9 } }], usage: { input_tokens: 3 } },
      }),
      { input: 3, output: undefined },
    ],
    ["nothing", "", NONE],
    ["line feeds", "\n\n\n", NONE],
  ])("reads %s", (_what, text, usage) => {
    expect(usageOf(text, true)).toEqual(usage as Usage);
  });
});

describe("UsageReader", () => {
  function read(reader: UsageReader, body: string, pieceBytes: number): Usage {
    const bytes = Buffer.from(body);
    for (let at = 0; at < bytes.length; at += pieceBytes)
      reader.push(bytes.subarray(at, at + pieceBytes));
    return reader.usage;
  }
  const text = "word ".repeat(10_000);

  test.each([1, 7, 1_000, 100_000])("reads a long body in pieces of %d bytes", (pieceBytes) => {
    const body = JSON.stringify({
      choices: [{ text }],
      usage: { prompt_tokens: 3, completion_tokens: 5 },
    });
    expect(read(new UsageReader(false, false), body, pieceBytes)).toEqual({ input: 3, output: 5 });
  });

  test.each([1, 7, 1_000, 100_000])(
    "reads a long last event in pieces of %d bytes",
    (pieceBytes) => {
      const response = {
        output: [{ text }],
        usage: { input_tokens: 3, output_tokens: 5 },
        user: null,
      };
      const stream = events({ type: "response.completed", response });
      expect(read(new UsageReader(true, false), stream, pieceBytes)).toEqual({
        input: 3,
        output: 5,
      });
    },
  );

  test("reads the input tokens of a long Anthropic answer from its first event", () => {
    const stream = events(
      { type: "message_start", message: { usage: { input_tokens: 3, output_tokens: 1 } } },
      ...Array.from({ length: 500 }, () => ({
        type: "content_block_delta",
        delta: { text: "word ".repeat(20) },
      })),
      { type: "message_delta", usage: { output_tokens: 5 } },
    );
    expect(read(new UsageReader(true, true), stream, 200)).toEqual({ input: 3, output: 5 });
    expect(read(new UsageReader(true, false), stream, 200)).toEqual({
      input: undefined,
      output: 5,
    });
  });

  test("does not see a usage more than 16 KiB before the end", () => {
    const body = JSON.stringify({ usage: { prompt_tokens: 3 }, choices: [{ text }] });
    expect(read(new UsageReader(false, false), body, 1_000)).toEqual(NONE);
  });
});

describe("UsageReader, of an Anthropic stream that is longer than the kept tail", () => {
  const START = events({ type: "message_start", message: { usage: { input_tokens: 7 } } });
  const REST = events(
    ...Array.from({ length: 2_000 }, () => ({ type: "content_block_delta", text: "x" })),
    { type: "message_delta", usage: { output_tokens: 5 } },
  );

  test.each<[what: string, start: string, pieceBytes: number]>([
    ["in one piece", START, 100_000],
    ["in two pieces", START, 40],
    ["in pieces of one byte", START, 1],
    ["after a ping", `event: ping\n${events({ type: "ping" })}${START}`, 30],
  ])("finds input tokens that came %s", (_what, start, pieceBytes) => {
    const reader = new UsageReader(true, true);
    const bytes = Buffer.from(start + REST);
    for (let at = 0; at < start.length; at += pieceBytes) {
      reader.push(bytes.subarray(at, Math.min(at + pieceBytes, start.length)));
    }
    reader.push(bytes.subarray(start.length));
    expect(reader.usage).toEqual({ input: 7, output: 5 });
  });
});
