import { describe, expect, test } from "bun:test";
import { StreamedText } from "./streamed-text.ts";

const ASKED = { model: "m", tokens: 3 };
const EVENTS = [event(""), event("server"), event(" 1"), event(" 2"), event("", "stop"), "[DONE]"];

function event(content: string, finish: string | null = null, id = "1"): string {
  const choices = [{ delta: { content }, finish_reason: finish }];
  return JSON.stringify({ id, model: "m", choices });
}

function read(events: readonly string[], pieceLength = Number.POSITIVE_INFINITY): StreamedText {
  const text = new StreamedText(ASKED, "server");
  const wire = events.map((data) => `data: ${data}\n\n`).join("");
  const length = Math.min(pieceLength, wire.length);
  for (let at = 0; at < wire.length; at += length) text.take(wire.slice(at, at + length));
  return text;
}

describe("StreamedText", () => {
  test("is complete when everything has arrived, with any cuts", () => {
    for (const length of [1, 7, 100, 1_000]) {
      const { complete, fault } = read(EVENTS, length);
      expect([complete, fault]).toEqual([true, undefined]);
    }
  });

  test("is not complete before its last byte", () => {
    for (const count of EVENTS.keys()) {
      const { complete, fault } = read(EVENTS.slice(0, count));
      expect([complete, fault]).toEqual([false, undefined]);
    }
  });

  test.each([
    ["a token is lost", EVENTS.toSpliced(2, 1)],
    ["a token comes twice", EVENTS.toSpliced(2, 0, event(" 1"))],
    ["another answer's event comes", EVENTS.toSpliced(3, 1, event(" 2", null, "2"))],
    ["another server answers", EVENTS.toSpliced(1, 1, event("other"))],
    ["something follows the end", [...EVENTS, "[DONE]"]],
    ["bytes of an event are lost", EVENTS.toSpliced(2, 1, event(" 1").slice(3))],
  ])("has a fault when %s", (_why, events) => {
    expect(read(events).fault).toBeDefined();
    expect(read(events).complete).toBe(false);
  });
});
