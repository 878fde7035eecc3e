import { expect, test } from "bun:test";
import { memberAtEnd } from "../../src/telemetry/json-tail.ts";
import { randomDocument, seededRandom } from "../support/client/random-json.ts";

const NESTED = ["response"];

test.each<[why: string, text: string, parents: readonly string[], value: string | undefined]>([
  ["the last member", '{"a":1,"usage":{"x":2}}', [], '{"x":2}'],
  ["the first member", '{"usage":{"x":2},"a":[1,{"b":2}]}', [], '{"x":2}'],
  ["whitespace", '{ "usage"\n :\t{"x":2} \n}\r\n', [], '\t{"x":2} \n'],
  ["of two the last", '{"usage":1,"usage":2}', [], "2"],
  ["null", '{"usage":null}', [], "null"],
  ["only the name in a string", '{"a":"\\"usage\\":{}"}', [], undefined],
  ["the name as a value", '{"a":"usage"}', [], undefined],
  ["further in", '{"a":{"usage":1}}', [], undefined],
  ["in an array", '{"a":[{"usage":1}]}', [], undefined],
  ["backslashes at the end of a string", '{"usage":1,"a":"\\\\"}', [], "1"],
  ["quotes and braces in strings", '{"usage":1,"a":"}\\"]{\\\\\\"","b":"{["}', [], "1"],
  ["cut in a string", 'xt}","usage":{"x":1}}', [], '{"x":1}'],
  ["cut in an escape", '"","usage":1}', [], "1"],
  ["cut in an object further in", '1}],"usage":{"x":1},"id":"y"}', [], '{"x":1}'],
  ["cut in the value", '"x":1},"id":"y"}', [], undefined],
  ["cut in the name", 'sage":{"x":1},"id":"y"}', [], undefined],
  ["in its parent", '{"response":{"usage":1,"b":2},"a":1}', NESTED, "1"],
  ["in another's", '{"other":{"usage":1},"a":1}', NESTED, undefined],
  ["in another's, then itself", '{"usage":2,"other":{"usage":1},"a":1}', NESTED, "2"],
  ["in a parent that is cut off", '"b":1,"usage":1},"a":1}', NESTED, "1"],
  ["two levels further in", '{"response":{"a":{"usage":1}}}', NESTED, undefined],
  ["nothing", "", [], undefined],
  ["no JSON", 'usage: "usage" {', [], undefined],
  ["only closers", "}}}}]]]]", [], undefined],
  ["quotes only", '"""""', [], undefined],
])("memberAtEnd() finds %s", (_why, text, parents, value) => {
  expect(memberAtEnd(text, "usage", parents)).toBe(value);
});

test("memberAtEnd() finds what JSON.parse finds, wherever the text is cut before the member", () => {
  const random = seededRandom(7);
  for (let round = 0; round < 2_000; round += 1) {
    const before = randomDocument(random).text.replace("\uFEFF", "");
    const after = randomDocument(random).text.replace("\uFEFF", "");
    const usage = { prompt_tokens: round };
    const member = `"usage":${JSON.stringify(usage)},"z":${after}}`;
    const text = `{"a":${before},${member}`;
    const cut = random(text.length - member.length);
    expect(memberAtEnd(text.slice(cut), "usage"), text).toBe(JSON.stringify(usage));
  }
});
