import { describe, expect, test } from "bun:test";
import { ModelScanner } from "../../../src/proxy/body/model-field.ts";
import type { Missing } from "../../../src/proxy/body/verdict.ts";
import { cutAt, scanModel } from "../../support/proxy/scan-model.ts";

const scan = (text: string) => scanModel([Buffer.from(text)]);

describe("ModelScanner finds the model", () => {
  test.each<[where: string, body: string, model: string]>([
    ["alone", '{"model":"m"}', "m"],
    ["first", '{"model":"m","stream":true}', "m"],
    ["in the middle", '{"stream":true,"model":"m","n":1}', "m"],
    ["last", '{"messages":[{"role":"user","content":"hi"}],"n":1.5e-3,"model":"m"}', "m"],
    ["after an empty object and an empty array", '{"a":{},"b":[],"c":"","model":"m"}', "m"],
    ["after every kind of scalar", '{"a":true,"b":false,"c":null,"d":-1.5E+9,"model":"m"}', "m"],
    ["with white space everywhere", ' \t\r\n{ "a" : [ 1 ] , "model"\n:\t"m" } ', "m"],
    ["after a byte order mark", '\uFEFF{"model":"m"}', "m"],
    ["after a nested model in an object", '{"a":{"model":"x"},"model":"m"}', "m"],
    ["after a nested model in an array", '{"a":[[{"model":"x"}]],"model":"m"}', "m"],
    ["after a model inside a string", '{"a":"\\",\\"model\\":\\"x\\"","model":"m"}', "m"],
    ["after brackets in nested strings", '{"a":["]}",{"}":"{["}],"model":"m"}', "m"],
    ["after quotes in nested strings", '{"a":["\\"",{"b":"\\\\"}],"model":"m"}', "m"],
    ["after a string that ends in backslashes", '{"a":"\\\\\\\\","model":"m"}', "m"],
    ['after a value "model"', '{"a":"model","model":"m"}', "m"],
    [
      "after similar keys",
      '{"models":"x","mode":"x","Model":"x","model ":"x","":"x","model":"m"}',
      "m",
    ],
    ["under a key with an escape", '{"mod\\u0065l":"m"}', "m"],
    ["under a key of escapes only", '{"\\u006d\\u006f\\u0064\\u0065\\u006C":"m"}', "m"],
    [
      'after a key that is longer than any spelling of "model"',
      `{"${"model".repeat(7)}":"x","model":"m"}`,
      "m",
    ],
    ["after a key that is not a valid string", '{"\\q":"x","model":"m"}', "m"],
    ["before bytes that are not JSON", '{"model":"m"#]', "m"],
    ["and takes the first of two", '{"model":"first","model":"second"}', "first"],
    ["after a model that is null or empty", '{"model":null,"model":"","model":"m"}', "m"],
    ["with slashes, colons and spaces in it", '{"model":"org/name:7b q4"}', "org/name:7b q4"],
    ["with escapes in it", '{"model":"a\\"b\\\\c\\/d\\n\\u00e9"}', 'a"b\\c/d\né'],
    ["with an escaped surrogate pair in it", '{"model":"\\ud83d\\ude00"}', "😀"],
    ["with Unicode in it", '{"model":"modèle-日本-😀"}', "modèle-日本-😀"],
    ["with a byte order mark as its first character", '{"model":"\uFEFFm"}', "\uFEFFm"],
    ["with a lone surrogate in it", '{"model":"a\\ud83d"}', "a\ud83d"],
    ["with its surrogates the wrong way round", '{"model":"\\ude00\\ud83d"}', "\ude00\ud83d"],
    ["with a NUL in it", '{"model":"a\\u0000b"}', "a\u0000b"],
    ["with line separators in it", '{"model":"a\u2028\u2029"}', "a\u2028\u2029"],
    ["that is a single space", '{"model":" "}', " "],
    ['that is named "__proto__"', '{"__proto__":{"model":"x"},"model":"__proto__"}', "__proto__"],
  ])("%s", (_where, body, model) => {
    expect(scan(body)).toEqual({ kind: "found", model });
  });

  test("after 100,000 levels of nesting", () => {
    const levels = 100_000;
    const nested = `${'[{"model":'.repeat(levels / 2)}1${"}]".repeat(levels / 2)}`;
    const body = Buffer.from(`{"a":${nested},"model":"m"}`);
    expect(scanModel([body])).toEqual({ kind: "found", model: "m" });
    expect(scanModel(cutAt(body, ...body.keys().filter((at) => at % 20 === 0)))).toEqual({
      kind: "found",
      model: "m",
    });
  });

  test("with invalid UTF-8 in it, decoded with replacement characters", () => {
    const body = Buffer.from('{"model":"a\xffb"}', "latin1");
    expect(scanModel([body])).toEqual({ kind: "found", model: "a\uFFFDb" });
  });

  test("exactly at its closing quote", () => {
    const scanner = new ModelScanner();
    expect(scanner.push(Buffer.from('{"model":"m'))).toBeUndefined();
    expect(scanner.push(Buffer.from('"'))).toEqual({ kind: "found", model: "m" });
  });
});

/** The backend refuses all of these, so it does not matter which model the scanner finds. */
describe("ModelScanner leaves errors inside a value to the backend", () => {
  test.each<[what: string, body: string]>([
    ["an array that ends with a brace", '{"a":[},"model":"m"}'],
    ["an object that ends with a bracket", '{"a":{"b":1],"model":"m"}'],
    ["brackets that cross", '{"a":[{]},"model":"m"}'],
    ["a key without value", '{"a":{"b"},"model":"m"}'],
    ["only commas", '{"a":[,,],"model":"m"}'],
    ["an invalid word", '{"a":nul,"model":"m"}'],
    ["an invalid number", '{"a":-01.e,"model":"m"}'],
    ["single quotes", '{"a":\'x\',"model":"m"}'],
    ["a line break in a string", '{"a":"x\ny","model":"m"}'],
    ["an invalid escape", '{"a":"\\q","model":"m"}'],
    ["an unclosed nested string, up to the next quote", '{"a":["x],"model":["],"model":"m"}'],
  ])("%s", (_what, body) => {
    expect(() => JSON.parse(body)).toThrow();
    expect(scan(body)).toEqual({ kind: "found", model: "m" });
  });

  test("and finds no model inside a level that brackets of the wrong kind did not close", () => {
    const expected = "the rest of the JSON object";
    expect(scan('{"a":[{],"model":"m"')).toEqual({ kind: "invalid", offset: 20, expected });
  });
});

describe("ModelScanner finds no model", () => {
  test.each<[body: string, reason: Missing]>([
    ["", "no body"],
    ["{}", "no model"],
    [" { } ", "no model"],
    ['{"a":1}', "no model"],
    ['{"a":"x" }', "no model"],
    ['{"a":{"model":"x"},"b":[{"model":"x"}]}', "no model"],
    ['{"a":1} and more', "no model"],
    ['{"model":1}', "not a string"],
    ['{"model":null}', "null"],
    ['{"model" : null , "a":1}', "null"],
    ['{"model": true', "not a string"],
    ['{"model":["m"]}', "not a string"],
    ['{"model":{"model":"m"}}', "not a string"],
    ['{"model":1,"model":"m"}', "not a string"],
    ['{"model":""}', "empty"],
    ['{"a":"","model":"", "b":[]}', "empty"],
    ['{"model":null,"model":""}', "empty"],
    ['{"model":"","model":[]}', "not a string"],
  ])("in %p: %s", (body, reason) => {
    expect(scan(body)).toEqual({ kind: "missing", reason });
  });
});

describe("ModelScanner refuses a body that is not a JSON object", () => {
  const OBJECT = 'a JSON object ("{")';
  const FIRST_KEY = 'a key in double quotes or "}"';
  const KEY = "a key in double quotes";
  const COLON = '":"';
  const COMMA = '"," or "}"';
  const REST = "the rest of the JSON object";
  const STRING = "a valid JSON string";

  test.each<[body: string, offset: number, expected: string]>([
    ["  ", 2, OBJECT],
    ["[1]", 0, OBJECT],
    ['  "model"', 2, OBJECT],
    ["null", 0, OBJECT],
    ["model=m", 0, OBJECT],
    ["\uFEFF", 3, OBJECT],
    ["\uFEFF[", 3, OBJECT],
    ["\uFEFF\uFEFF{", 3, OBJECT],
    ["\uFEFE{", 2, OBJECT],
    ["\uF000{", 1, OBJECT],
    [" \uFEFF{", 1, OBJECT],
    ["{", 1, FIRST_KEY],
    ["{ model", 2, FIRST_KEY],
    ["{,", 1, FIRST_KEY],
    ["{\uFEFF", 1, FIRST_KEY],
    ['{"a"', 4, COLON],
    ['{"a" 1', 5, COLON],
    ['{"a",', 4, COLON],
    ['{"é" 1', 6, COLON],
    ['{"a":', 5, "a value"],
    ['{"a":,', 5, "a value"],
    ['{"a": }', 6, "a value"],
    ['{"a":]', 5, "a value"],
    ['{"a"::', 5, "a value"],
    ['{"model":}', 9, "a value"],
    ['{"a":1', 6, COMMA],
    ['{"a":1"', 6, COMMA],
    ['{"a":1[', 6, COMMA],
    ['{"a":1{', 6, COMMA],
    ['{"a":1]', 6, COMMA],
    ['{"a":1:', 6, COMMA],
    ['{"a":1 2', 7, COMMA],
    ['{"a":"x"', 8, COMMA],
    ['{"a":"x":', 8, COMMA],
    ['{"a":"x" "', 9, COMMA],
    ['{"a":[]]', 7, COMMA],
    ['{"a":1,', 7, KEY],
    ['{"a":1,}', 7, KEY],
    ['{"a":1,,', 7, KEY],
    ['{"a', 3, REST],
    ['{"a":"x', 7, REST],
    ['{"a":"x\\"', 9, REST],
    ['{"a":[', 6, REST],
    ['{"a":[{}', 8, REST],
    ['{"a":["x', 8, REST],
    ['{"model":"m', 11, REST],
    ['{"model":""', 11, COMMA],
    ['{"model":null', 13, COMMA],
    ['{"previous_response_id":"r', 26, REST],
    ['{"model":"a\u0001"}', 10, STRING],
    ['{"model":"a\nb"}', 10, STRING],
    ['{ "model": "\\q"}', 12, STRING],
    ['{"model":"\\u12"}', 10, STRING],
  ])("%p at byte %d: expected %s", (body, offset, expected) => {
    expect(scan(body)).toEqual({ kind: "invalid", offset, expected });
  });

  test.each<[bytes: number[], offset: number]>([
    [[0xef, 0x7b], 1],
    [[0xef, 0x20, 0x7b], 1],
    [[0xef, 0xbb, 0x7b], 2],
    [[0xef, 0xbb], 2],
    [[0x20, 0xbb, 0xbf, 0x7b], 1],
    [[0xff, 0xfe, 0x7b, 0x00], 0],
  ])("with a broken byte order mark: %p", (bytes, offset) => {
    const body = Uint8Array.from(bytes);
    expect(scanModel([body])).toEqual({ kind: "invalid", offset, expected: OBJECT });
    expect(scanModel(cutAt(body, ...body.keys()))).toEqual({
      kind: "invalid",
      offset,
      expected: OBJECT,
    });
  });

  test("at the first wrong byte, with its offset from the start of the body", () => {
    const scanner = new ModelScanner();
    expect(scanner.push(Buffer.from('{"a"'))).toBeUndefined();
    expect(scanner.push(Buffer.from(":1"))).toBeUndefined();
    expect(scanner.push(Buffer.from(" ?..."))).toEqual({
      kind: "invalid",
      offset: 7,
      expected: COMMA,
    });
  });
});
