/** Tokens from the last pieces of an answer. */
import { describe, expect, test } from "bun:test";
import { usageOfLast } from "../../src/telemetry/usage.ts";

const NONE = { input: undefined, output: undefined };

function events(...values: readonly unknown[]): string {
  return values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join("");
}

describe("usageOfLast()", () => {
  const OPENAI = events({ choices: [] }, { usage: { prompt_tokens: 3, completion_tokens: 5 } });
  const piecesOf = (...texts: readonly string[]): readonly Uint8Array[] =>
    texts.map((text) => Buffer.from(text));

  test("reads an event stream, wherever it is cut into pieces", () => {
    const text = `${OPENAI}data: [DONE]\n\n`;
    for (let at = 0; at <= text.length; at += 1) {
      const pieces = piecesOf(text.slice(0, at), text.slice(at));
      expect(usageOfLast(pieces, true)).toEqual({ input: 3, output: 5 });
    }
  });

  test("reads an event stream whose first line lacks its beginning", () => {
    expect(usageOfLast(piecesOf(OPENAI.slice(OPENAI.indexOf('{"usage'))), true)).toEqual({
      input: 3,
      output: 5,
    });
  });

  test("reads the last 16 KiB of a body, however long it is", () => {
    const body = `{"data":"${"ä".repeat(100_000)}","usage":{"prompt_tokens":3}}`;
    expect(usageOfLast(piecesOf(body), false)).toEqual({ input: 3, output: undefined });
    const far = `{"usage":{"prompt_tokens":3},"data":"${"x".repeat(16 * 1024)}"}`;
    expect(usageOfLast(piecesOf(far), false)).toEqual(NONE);
  });

  test("reads the input tokens of Anthropic's first event, and ignores other first events", () => {
    const start = events({ type: "message_start", message: { usage: { input_tokens: 12 } } });
    const last = piecesOf(events({ type: "message_delta", usage: { output_tokens: 7 } }));
    expect(usageOfLast(last, true, Buffer.from(start))).toEqual({ input: 12, output: 7 });
    const long = Buffer.from(start + events({ text: "x".repeat(40 * 1024) }));
    expect(usageOfLast(last, true, long)).toEqual({ input: 12, output: 7 });
    const other = Buffer.from(events({ choices: [{ delta: { content: '"usage"' } }] }));
    expect(usageOfLast(last, true, other)).toEqual({ input: undefined, output: 7 });
  });

  test("reads nothing from an answer without counts", () => {
    for (const isStream of [true, false]) {
      expect(usageOfLast([], isStream)).toEqual(NONE);
      expect(usageOfLast(piecesOf("", "x"), isStream)).toEqual(NONE);
    }
  });

  test("reads Ollama's own counts from an object and from the last line of a stream", () => {
    const done = { done: true, prompt_eval_count: 26, context: [1, 2], eval_count: 298 };
    const lines = `{"response":"a"}\n${JSON.stringify(done)}\n`;
    expect(usageOfLast(piecesOf(lines), true)).toEqual({ input: 26, output: 298 });
    expect(usageOfLast(piecesOf(JSON.stringify(done)), false)).toEqual({ input: 26, output: 298 });
    const embedded = '{"embeddings":[[0.1]],"prompt_eval_count":8}';
    expect(usageOfLast(piecesOf(embedded), false)).toEqual({ input: 8, output: undefined });
    const lie = '{"prompt_eval_count":-1,"eval_count":"9","x":{"prompt_eval_count":7}}';
    expect(usageOfLast(piecesOf(lie), false)).toEqual(NONE);
  });
});
