import { describe, expect, test } from "bun:test";
import {
  BoundarySearch,
  headerParameters,
  withoutParameters,
} from "../../../src/proxy/body/multipart-syntax.ts";

/** Returns where each delimiter ends, in a text cut into pieces of a size. */
function ends(text: string, pieceBytes: number): number[] {
  const search = new BoundarySearch("b");
  const found: number[] = [];
  const body = Buffer.from(text);
  for (let start = 0; start < body.length; start += pieceBytes) {
    const piece = body.subarray(start, start + pieceBytes);
    for (let from = 0; from < piece.length; ) {
      const end = search.find(piece, from);
      if (end === -1) break;
      found.push(start + end);
      from = end;
    }
  }
  return found;
}

describe("BoundarySearch", () => {
  test.each<[text: string, found: number[]]>([
    ["--b", [3]],
    ["--b\r\nx\r\n--b", [3, 11]],
    ["x--b", []],
    ["\r\n--c\r\n--b", [10]],
    ["\r\r\n--b", [6]],
    ["\r\n\r\n--b", [7]],
    ["\r\n-\r\n--b", [8]],
    ["\n--b", []],
    ["\r\n--", []],
  ])("finds the delimiters in %p, for any pieces", (text, found) => {
    for (let size = 1; size <= text.length; size += 1) expect(ends(text, size)).toEqual(found);
  });

  test("returns the length of the delimiter, including its line break", () => {
    expect(new BoundarySearch("abc").delimiterBytes).toBe(7);
  });
});

describe("headerParameters()", () => {
  test.each<[value: string, parameters: Record<string, string>]>([
    ["form-data", {}],
    ["form-data; name=model", { name: "model" }],
    ['form-data; name="a;b"; x = y ', { name: "a;b", x: "y" }],
    ['a; NAME="1"; name="2"', { name: "1" }],
    ['a; name="q\\"q"', { name: 'q"q' }],
    ['a; name="never closed', { name: "never closed" }],
  ])("reads %p", (value, parameters) => {
    expect(Object.fromEntries(headerParameters(value))).toEqual(parameters);
    expect(withoutParameters(value)).toBe(value.split(";")[0]!);
  });
});
