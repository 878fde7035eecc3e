import { expect, test } from "bun:test";
import { memberAtEnd } from "../../src/telemetry/json-tail.ts";
import { randomDocument, seededRandom } from "../support/client/random-json.ts";

const NESTED = ["response"];

test.each<[why: string, text: string, parents: readonly string[], value: string | undefined]>([
  ["the last member", '{"a":1,"usage":{"x":2}}', [], '{"x":2}'],
  ["the first member", '{"usage":{"x":2},"a":[1,{"b":2}]}', [], '{"x":2}'],
  ["whitespace", '{ "usage"\n :\t{"x":2} \n}\r\n', [], '\t{"x":2} \n'],
  ["the last of two", '{"usage":1,"usage":2}', [], "2"],
  ["null", '{"usage":null}', [], "null"],
  ["nothing for the name in a string", '{"a":"\\"usage\\":{}"}', [], undefined],
  ["nothing for the name as a value", '{"a":"usage"}', [], undefined],
  ["nothing in a nested object", '{"a":{"usage":1}}', [], undefined],
  ["nothing in an array", '{"a":[{"usage":1}]}', [], undefined],
  ["it before a string that ends with backslashes", '{"usage":1,"a":"\\\\"}', [], "1"],
  ["it before strings with quotes and braces", '{"usage":1,"a":"}\\"]{\\\\\\"","b":"{["}', [], "1"],
  ["it in a text that is cut in a string", 'xt}","usage":{"x":1}}', [], '{"x":1}'],
  ["it in a text that is cut in an escape", '"","usage":1}', [], "1"],
  ["it in a text that is cut in a nested object", '1}],"usage":{"x":1},"id":"y"}', [], '{"x":1}'],
  ["nothing in a text that is cut in the value", '"x":1},"id":"y"}', [], undefined],
  ["nothing in a text that is cut in the name", 'sage":{"x":1},"id":"y"}', [], undefined],
  ["it in a parent", '{"response":{"usage":1,"b":2},"a":1}', NESTED, "1"],
  ["nothing in another object", '{"other":{"usage":1},"a":1}', NESTED, undefined],
  ["the direct member before another object", '{"usage":2,"other":{"usage":1},"a":1}', NESTED, "2"],
  ["it in a parent whose key is cut off", '"b":1,"usage":1},"a":1}', NESTED, "1"],
  ["nothing two levels below a parent", '{"response":{"a":{"usage":1}}}', NESTED, undefined],
  ["nothing", "", [], undefined],
  ["nothing in a text that is not JSON", 'usage: "usage" {', [], undefined],
  ["nothing in closing brackets", "}}}}]]]]", [], undefined],
  ["nothing in quotes", '"""""', [], undefined],
])("memberAtEnd() finds %s", (_why, text, parents, value) => {
  expect(memberAtEnd(text, "usage", parents)).toBe(value);
});

test("memberAtEnd() finds the same as JSON.parse, wherever the text is cut before the member", () => {
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
