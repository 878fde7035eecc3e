/** Facts that the scanner notes before and after the model. */
import { beforeAll, describe, expect, test } from "bun:test";
import { ModelScanner } from "../../../src/proxy/body/model-field.ts";
import {
  damaged,
  type Random,
  randomDocument,
  seededRandom,
} from "../../support/client/random-json.ts";
import { plainNotes } from "../../support/proxy/plain-notes.ts";
import { cutAt, type Noted, scanNotes } from "../../support/proxy/scan-model.ts";

/** Bodies as clients write them, and special cases. */
const BODIES: readonly [what: string, body: string, prompt: string | undefined][] = [
  ["the model first", '{"model":"m","messages":[{"role":"user"}]}', '[{"role":"user"}]'],
  ["the model last", '{"messages":[{"role":"user"}],"model":"m"}', '[{"role":"user"}]'],
  ["the model between", '{"max_tokens":1,"messages":[],"model":"m","n":1}', "[]"],
  [
    "Anthropic's system prompt and tools",
    '{"model":"m","system":[{"text":"s"}],"tools":[{"input":"x"}],"messages":["a"],"stream":true}',
    '["a"]',
  ],
  ["a prompt that is a string", '{"model":"m","prompt":"once upon"}', '"once upon"'],
  ["an array of prompts", '{"prompt":["a",["b"],{}],"model":"m"}', '["a",["b"],{}]'],
  ["tokens", '{"model":"m","prompt":[1,2,-3.5e7]}', "[1,2,-3.5e7]"],
  ["an input of objects", '{"model":"m","input":[{"a":{"b":"]"}}]}', '[{"a":{"b":"]"}}]'],
  ["an input that is an object", '{"model":"m","input":{"text":"}"} }', '{"text":"}"}'],
  ["an empty prompt", '{"model":"m","prompt":""}', '""'],
  ["two prompts, of which the first counts", '{"input":"a","model":"m","messages":["b"]}', '"a"'],
  [
    "two prompts after the model, of which the first counts",
    '{"model":"m","prompt":[],"prompt":"b"}',
    "[]",
  ],
  ["a prompt after a null", '{"model":"m","input":null,"messages":["b"]}', '["b"]'],
  ["a prompt after a number", '{"input":1,"model":"m","prompt":true,"messages":"b"}', '"b"'],
  ["only a null", '{"model":"m","input":null}', undefined],
  ["no prompt", '{"model":"m","text":"input"}', undefined],
  [
    "quotes and backslashes",
    '{"model":"m","prompt":"a\\"b\\\\\\"]}\\\\" }',
    '"a\\"b\\\\\\"]}\\\\"',
  ],
  ["nested prompts only", '{"a":{"input":"x"},"model":"m","b":[{"prompt":"y"}]}', undefined],
  [
    "nested prompts before the real one",
    '{"a":{"messages":["x"]},"model":"m","b":["input"],"messages":[1]}',
    "[1]",
  ],
  ["Unicode", '{"müssäges":"x","messages":["é😀"],"model":"m"}', '["é😀"]'],
  ["a byte order mark", '\uFEFF {"model":"m", "input" : "x" }', '"x"'],
  ["a key with escapes", '{"\\u006dodel":"m","m\\u0065ssages":["x"]}', '["x"]'],
  ["a key of escapes only", '{"\\u0069\\u006E\\u0070\\u0075\\u0074":"x","model":"m"}', '"x"'],
  ["white space", ' { "model" : "m" ,\n"input"\t:\r[ 1 , 2 ] } ', "[ 1 , 2 ]"],
  ["a second model", '{"model":"m","model":5,"model":[],"input":"x"}', '"x"'],
  ["no model", '{"input":"x","n":1}', '"x"'],
  ["a null model", '{"input":"x","model":null}', '"x"'],
  ["a body with only a model", '{"model":"m"}', undefined],
];

const FIELDS = [
  ["previousResponseId", '"previous_response_id":"r"', "r"],
  ["previousResponseId", '"previous_response_id":"","previous\\u005fresponse_id":"r"', "r"],
  ["previousResponseId", '"previous_response_id":null', undefined],
  ["previousResponseId", `"previous_response_id":"${"r".repeat(257)}"`, undefined],
  ["previousResponseId", '"x":{"previous_response_id":"r"}', undefined],
  ["hasConversation", '"conversation":"c"', true],
  ["hasConversation", '"conversation":{"id":"c"}', true],
  ["hasConversation", '"conversation":null', false],
  ["hasConversation", '"conversation":null,"conversation":"c"', true],
  ["hasConversation", '"x":{"conversation":"c"}', false],
  ["isBackground", '"background":true', true],
  ["isBackground", '"b\\u0061ckground" : true', true],
  ["isBackground", '"background":"true"', true],
  ["isBackground", '"background":1', true],
  ["isBackground", '"background":false', false],
  ["isBackground", '"background":null', false],
  ["isBackground", '"background":false,"background":true', true],
  ["isBackground", '"x":["background",true]', false],
] as const satisfies readonly [keyof Noted, string, unknown][];

/** In one piece, in every two pieces, and byte by byte. */
function* waysToCut(body: Buffer): Generator<Uint8Array[]> {
  yield [body];
  for (let at = 0; at <= body.length; at += 1) yield cutAt(body, at);
  yield cutAt(body, ...body.keys());
}

describe("ModelScanner notes the position of the prompt", () => {
  test.each(BODIES)("with %s", (_what, text, prompt) => {
    const body = Buffer.from(text);
    const plain = plainNotes(body);
    const latin1 = prompt === undefined ? undefined : Buffer.from(prompt).toString("latin1");
    expect(plain.prompt).toBe(latin1 as string);
    for (const pieces of waysToCut(body)) {
      const noted = scanNotes(pieces, "object");
      expect({ ...noted, model: plain.model }).toEqual(plain);
      const { isPromptOpen, prompt: found } = scanNotes(pieces, "prompt");
      expect([found, isPromptOpen]).toEqual([latin1, false]);
    }
  });

  test("but not after the model, before readOn()", () => {
    const scanner = new ModelScanner();
    scanner.push(Buffer.from('{"model":"m","input":"x"}'));
    expect(scanner.notes.promptStart).toBeUndefined();
    expect(scanner.offset).toBe('{"model":"m"'.length);
  });

  test("and stops at the end of the prompt", () => {
    const body = Buffer.from('{"model":"m","input":"x","background":true}');
    const scanner = new ModelScanner();
    scanner.push(body);
    expect(scanner.readOn(body.subarray(scanner.offset), "prompt")).toBeTrue();
    expect(scanner.offset).toBe('{"model":"m","input":"x"'.length);
    expect(scanner.readOn(body.subarray(scanner.offset), "object")).toBeTrue();
    expect(scanner.notes.isBackground).toBeTrue();
  });

  test("as far as it has come", () => {
    const body = Buffer.from('{"model":"m","messages":["abc');
    for (const pieces of waysToCut(body)) {
      for (const to of ["prompt", "object"] as const) {
        const noted = scanNotes(pieces, to);
        expect(noted).toMatchObject({ prompt: '["abc', isPromptOpen: true, isComplete: false });
      }
    }
  });

  test.each<[body: string, prompt: string | undefined]>([
    ['{"model":"m"]"input":"x"}', undefined],
    ['{"model":"m",,"input":"x"}', undefined],
    ['{"model":"m"#', undefined],
    ['{"model":"m","input":"x"]"background":true}', '"x"'],
    ['{"model":"m","input":"x","a":"b"}}}', '"x"'],
    ['{"model":"m"}{"input":"x"}', undefined],
    ["[]", undefined],
    ['{"input":"x","model":1,"background":true}', '"x"'],
  ])("and stops where the body is broken or ends: %s", (body, prompt) => {
    for (const pieces of waysToCut(Buffer.from(body))) {
      const noted = scanNotes(pieces, "object");
      expect([noted.prompt, noted.isBackground]).toEqual([prompt, false]);
    }
  });
});

describe("ModelScanner notes the fields that decide which server must get a request", () => {
  test.each(FIELDS)("%s of %s", (field, written, value) => {
    const bodies = [`{${written},"model":"m","input":""}`, `{"model":"m","input":"",${written}}`];
    for (const body of bodies) {
      for (const pieces of waysToCut(Buffer.from(body))) {
        const noted = scanNotes(pieces, "object");
        expect<unknown>(noted[field]).toBe(value);
        expect(noted.isComplete).toBe(true);
      }
    }
    const scanner = new ModelScanner();
    scanner.push(Buffer.from(bodies[0]!)); // as far as the model
    expect<unknown>(scanner.notes[field]).toBe(value);
  });
});

const SEED = 20_261_124;
const DOCUMENTS = 60_000;
const TIMEOUT_MS = 60_000; // they take 2 s each

const KEYS = [
  "messages",
  "input",
  "prompt",
  "previous_response_id",
  "background",
  "conversation",
  "inputs",
  "",
];

describe("ModelScanner on random documents, cut at random", () => {
  const documents: Uint8Array[] = [];

  beforeAll(() => {
    const random = seededRandom(SEED);
    while (documents.length < DOCUMENTS) {
      documents.push(new TextEncoder().encode(randomDocument(random, KEYS).text));
    }
  }, TIMEOUT_MS);

  test(
    "notes the same as JSON.parse() finds",
    () => {
      const random = seededRandom(SEED + 1);
      let prompts = 0;
      for (const bytes of documents) {
        const { model, ...plain } = plainNotes(bytes);
        const pieces = randomPieces(bytes, random);
        const noted = scanNotes(pieces, "object");
        const { prompt } = scanNotes(pieces, "prompt");
        if (!Bun.deepEquals(noted, plain, true) || prompt !== plain.prompt) {
          fail(bytes, { noted, plain, model, prompt });
        }
        if (prompt !== undefined) prompts += 1;
      }
      expect(prompts).toBeGreaterThan(DOCUMENTS / 5); // otherwise the documents prove nothing
    },
    TIMEOUT_MS,
  );

  test(
    "notes the same for any cuts, if the documents are damaged",
    () => {
      const random = seededRandom(SEED + 2);
      for (const document of documents) {
        const bytes = damaged(document, random);
        for (const to of ["prompt", "object"] as const) {
          const whole = scanNotes([bytes], to);
          const cut = scanNotes(randomPieces(bytes, random), to);
          if (!Bun.deepEquals(whole, cut, true)) fail(bytes, { to, whole, cut });
        }
      }
    },
    TIMEOUT_MS,
  );
});

function fail(bytes: Uint8Array, what: Record<string, unknown>): never {
  const body = Buffer.from(bytes).toString("latin1");
  throw new Error(`The scanner is wrong: ${JSON.stringify({ seed: SEED, body, ...what })}`);
}

function randomPieces(bytes: Uint8Array, random: Random): Uint8Array[] {
  const positions = Array.from({ length: random(6) }, () => random(bytes.length + 1));
  return cutAt(bytes, ...positions.sort((a, b) => a - b));
}
