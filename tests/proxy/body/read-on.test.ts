/** The facts that the proxy finds in a body after its model. The body is still sent unchanged. */
import { describe, expect, test } from "bun:test";
import { KeptBytes } from "../../../src/proxy/body/kept-bytes.ts";
import type { Told } from "../../../src/proxy/body/read-result.ts";
import { readModelField } from "../../../src/proxy/body/request-body.ts";
import { piecewise } from "../../support/client/piecewise.ts";
import { contentOf } from "../../support/client/sent-body.ts";
import { NO_LIMIT, readPieces, readText } from "../../support/proxy/read-body.ts";
import { cutAt } from "../../support/proxy/scan-model.ts";
import { NO_TURNS } from "../../support/proxy/turns.ts";

const MESSAGES = `[{"role":"user","content":"a \\"b\\" ${"é".repeat(40)}"}]`;

const BODIES: readonly [order: string, text: string][] = [
  ["model first", `{"model":"m","messages":${MESSAGES},"stream":true}`],
  ["model last", `{"messages":${MESSAGES},"stream":true,"model":"m"}`],
  ["model between", `{"max_tokens":1,"messages":${MESSAGES},"model":"m","tools":[{"input":1}]} `],
];

const WAYS: readonly [way: string, isLengthKnown: boolean][] = [
  ["of known length", true],
  ["in chunks", false],
];

describe.each(WAYS)("body() of a request %s", (_way, isLengthKnown) => {
  test.each(BODIES)("finds the whole prompt, for any cuts: %s", async (_order, text) => {
    const body = Buffer.from(text);
    const cuts = Array.from(body.keys(), (at) => cutAt(body, at));
    for (const pieces of [...cuts, cutAt(body, ...body.keys())]) {
      const seen = await readPieces(pieces, { to: "object", isLengthKnown });
      expect(seen).toEqual({
        form: isLengthKnown ? "bytes" : "stream",
        told: { prompt: MESSAGES, hasConversation: false, mayBeBackground: false },
        isWhole: true,
      });
    }
  });

  test("finds nothing before it is called, or if it reads only to the model", async () => {
    const [, text] = BODIES[1]!;
    const seen = await readText(text, { to: "model", isLengthKnown });
    const nothing = { hasConversation: false, mayBeBackground: false };
    expect(seen.told).toEqual({ ...nothing, prompt: undefined });
    const { request } = piecewise([text]);
    const read = await readModelField(request, new KeptBytes(NO_LIMIT), NO_TURNS);
    expect(read.told()).toEqual(nothing);
    read.discard();
  });

  test.each<[what: string, rest: string, told: Partial<Told>]>([
    ["nothing", "", {}],
    ["a response", ',"previous_response_id":"r"', { previousResponseId: "r" }],
    ["a conversation", ',"conversation":{"id":"c"}', { hasConversation: true }],
    ["no conversation", ',"conversation":null', {}],
    ["background", ',"background":true', { mayBeBackground: true }],
    ["no background", ',"background":false', {}],
  ])("finds %s in an object, before or after the model", async (_what, rest, told) => {
    for (const text of [`{"model":"m"${rest}}`, `{"a":1${rest},"model":"m"}`]) {
      const seen = await readText(text, { to: "object", isLengthKnown });
      const nothing = { hasConversation: false, mayBeBackground: false };
      expect(seen).toMatchObject({ isWhole: true, told: { ...nothing, ...told } });
    }
  });

  test.each<[what: string, text: string, prompt: string | undefined, mayBeBackground: boolean]>([
    ["after the model", '{"model":"m"]"input":"x"}', undefined, true],
    ["after the prompt", '{"model":"m","input":"x"?', '"x"', true],
    ["after the object", '{"model":"m","input":"x"}]]', '"x"', false],
    ["at an early end", '{"model":"m","input":"x', '"x', true],
  ])("ignores an error %s", async (_what, text, prompt, mayBeBackground) => {
    const seen = await readText(text, { to: "object", isLengthKnown });
    expect(seen.isWhole).toBeTrue();
    expect(seen.told).toMatchObject({ prompt, mayBeBackground });
    const short = await readText(text, { to: "prompt", isLengthKnown });
    expect(short.told).toMatchObject({ prompt, mayBeBackground: false });
  });

  test.each<[what: string, type: string, text: string]>([
    ["a form", "multipart/form-data; boundary=b", FORM],
    ["a form without a boundary", "multipart/form-data", FORM],
    ["a text", "text/plain", '"input":"x"'],
  ])("reports %s as not known", async (_what, type, text) => {
    const headers = isLengthKnown ? { "content-length": String(text.length) } : {};
    const { request } = piecewise([text], { "content-type": type, ...headers });
    const read = await readModelField(request, new KeptBytes(NO_LIMIT), NO_TURNS);
    const body = await read.body("object");
    expect(read.told()).toEqual({ hasConversation: false, mayBeBackground: true });
    expect(await new Response(contentOf(body)).text()).toBe(text);
  });
});

const FORM =
  '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n--b\r\ncontent-disposition: form-data; name="input"\r\n\r\n"x"\r\n--b--\r\n';

test("told() returns nothing if there is no body", async () => {
  const request = new Request("http://proxy.test/", { method: "POST" });
  const read = await readModelField(request, new KeptBytes(NO_LIMIT), NO_TURNS);
  expect(await read.body("object")).toEqual({ kind: "none" });
  expect(read.told()).toEqual({ hasConversation: false, mayBeBackground: false });
});

test("told() returns a view of a body in memory", async () => {
  const text = '{"model":"m","input":"x"}';
  const { request } = piecewise([text], { "content-length": String(text.length) });
  const read = await readModelField(request, new KeptBytes(NO_LIMIT), NO_TURNS);
  const body = await read.body("prompt");
  if (body.kind !== "bytes") throw new Error(body.kind);
  expect(read.told().prompt?.buffer).toBe(body.bytes.buffer);
  expect(read.told().prompt).toEqual(body.bytes.subarray(21, 24)); // a second call returns the same
});
