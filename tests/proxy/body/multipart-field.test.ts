import { describe, expect, test } from "bun:test";
import { boundaryOf, MultipartScanner } from "../../../src/proxy/body/multipart-field.ts";
import { scanMultipart } from "../../support/client/multipart-body.ts";

const scan = (text: string) => scanMultipart("abc", [Buffer.from(text)]);

/** A part. Its headers are given without the start of Content-Disposition. */
const part = (parameters: string, content: string) =>
  `--abc\r\nContent-Disposition: form-data; ${parameters}\r\n\r\n${content}\r\n`;
const MODEL = part('name="model"', "m");
const END = "--abc--\r\n";

describe("boundaryOf()", () => {
  test.each<[contentType: string, boundary: string | undefined]>([
    ["multipart/form-data; boundary=abc", "abc"],
    ["multipart/form-data;boundary=abc", "abc"],
    ["Multipart/Form-Data ; BOUNDARY = abc ", "abc"],
    ['multipart/form-data; boundary="abc"', "abc"],
    ['multipart/form-data; boundary="a; b=\\"c\\\\"', 'a; b="c\\'],
    ["multipart/form-data; charset=utf-8; boundary=abc; x=y", "abc"],
    ['multipart/form-data; x="; boundary=decoy"; boundary=abc', "abc"],
    ['multipart/form-data; x="\\"; boundary=decoy"; boundary=abc', "abc"],
    ["multipart/form-data; flag; boundary=abc", "abc"],
    ["multipart/form-data; xboundary=decoy; boundary=abc; boundary=second", "abc"],
    ["multipart/form-data; boundary=a:b/c=d?(e)'f", "a:b/c=d?(e)'f"],
    ['multipart/form-data; boundary="a b"', "a b"],
    [`multipart/form-data; boundary=${"a".repeat(256)}`, "a".repeat(256)],
    [`multipart/form-data; boundary=${"a".repeat(257)}`, undefined],
    ["multipart/form-data", undefined],
    ["multipart/form-data;", undefined],
    ["multipart/form-data; boundary", undefined],
    ["multipart/form-data; boundary=", undefined],
    ['multipart/form-data; boundary=""', undefined],
    ["multipart/form-data; boundary=é", undefined],
    ['multipart/form-data; boundary="a\tb"', undefined],
    ["boundary=abc", undefined],
    ["", undefined],
  ])("for %p returns %p", (contentType, boundary) => {
    expect(boundaryOf(contentType)).toBe(boundary);
  });
});

describe("MultipartScanner finds the model", () => {
  const FILE = part('name="file"; filename="a.wav"', "RIFF\u0000\r\n");

  test.each<[where: string, body: string, model: string]>([
    ["alone", MODEL + END, "m"],
    ["before the file", MODEL + FILE + END, "m"],
    ["after the file", FILE + MODEL + END, "m"],
    ["between fields", part("name=a", "1") + MODEL + part("name=b", "2") + END, "m"],
    ["before a broken part", `${MODEL}--abc\r\n?\r\n`, "m"],
    ["and takes the first of two", MODEL + part("name=model", "second") + END, "m"],
    ["whose name has no quotes", part("name=model", "m") + END, "m"],
    ["whose name is escaped", part('name="\\m\\odel"', "m") + END, "m"],
    [
      "whose name comes after other parameters",
      part('x="name=\\"a\\";"; name="model"', "m") + END,
      "m",
    ],
    ["with white space around every separator", part(' \t; name\t=  "model" ;', "m") + END, "m"],
    ["in a folded header", part('\r\n\tx=y;\r\n name="model"', "m") + END, "m"],
    [
      "under headers in any case, with others",
      '--abc\r\nContent-Type: text/plain\r\ncOnTeNt-dIsPoSiTiOn :FORM-DATA;NAME="model"\r\nx:\r\n\r\nm\r\n--abc--',
      "m",
    ],
    ["after a preamble", `see\r\n--ab\r\n\r\n--abcd\r\n${MODEL}${END}`, "m"],
    ["after an empty line", `\r\n${MODEL}${END}`, "m"],
    ["after an empty part", part("name=a", "") + MODEL + END, "m"],
    [
      "after a part with only headers",
      `--abc\r\nContent-Disposition: form-data; name=a\r\n\r\n${MODEL}${END}`,
      "m",
    ],
    [
      "with padded boundaries",
      MODEL.replace("abc", "abc \t ") + END.replace("--\r", "-- \t\r"),
      "m",
    ],
    ["before a closing line that ends with the body", `${MODEL}--abc--`, "m"],
    ["before a closing line that ends in LF", `${MODEL}--abc--\n`, "m"],
    ["before a closing line without LF", `${MODEL}--abc--\r`, "m"],
    ["before an epilogue", `${MODEL}${END}--abc\r\nmore`, "m"],
    ["after a file named model", part('name="model"; filename=""', "x") + MODEL + END, "m"],
    [
      "after a file named model, by filename*",
      part("filename*=utf-8''x; name=model", "x") + MODEL + END,
      "m",
    ],
    [
      "after similar names",
      ["Model", "models", "mode", '" model"', '"model\\""']
        .map((name) => part(`name=${name}`, "x"))
        .join("") +
        MODEL +
        END,
      "m",
    ],
    [
      "after another header with its name",
      `--abc\r\nX-Content-Disposition: form-data; name=model\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n${MODEL}${END}`,
      "m",
    ],
    [
      "after a model inside a file",
      part(
        'name="file"; filename=a',
        '\r\n--abx\r\nContent-Disposition: form-data; name="model"\r\n\r\nx\r\n--abc-x',
      ) +
        MODEL +
        END,
      "m",
    ],
    [
      "after lines that begin like a boundary",
      part(
        "name=a",
        "\r\n--abcd\r\n--abc x\r\n--abc-\r\n--abc--x\r\n--abc\n\r\n--abc\r\r\n--abc-- \rx\n--abc\r",
      ) +
        MODEL +
        END,
      "m",
    ],
    [
      "after a nested multipart",
      part(
        "name=a",
        '--inner\r\nContent-Disposition: form-data; name="model"\r\n\r\nx\r\n--inner--',
      ) +
        MODEL +
        END,
      "m",
    ],
    ["with white space around it", part("name=model", " \r\n m\t\r\n") + END, " \r\n m\t\r\n"],
    ["with Unicode in it", part("name=model", "modèle-日本-😀") + END, "modèle-日本-😀"],
    ["with a byte order mark before it", part("name=model", "\uFEFFm") + END, "\uFEFFm"],
    [
      "with lines like a boundary in it",
      part("name=model", "a\r\n--abcd\r\n--abc--e\r\n--ab") + END,
      "a\r\n--abcd\r\n--abc--e\r\n--ab",
    ],
  ])("%s", (_where, body, model) => {
    expect(scan(body)).toEqual({ kind: "found", model });
  });

  test("with invalid UTF-8 in it, decoded with replacement characters", () => {
    const body = Buffer.from(part("name=model", "a\xffb") + END, "latin1");
    expect(scanMultipart("abc", [body])).toEqual({ kind: "found", model: "a\uFFFDb" });
  });

  test("exactly at the end of the boundary's line", () => {
    const scanner = new MultipartScanner("abc");
    expect(scanner.push(Buffer.from(`${MODEL}--abc \r`))).toBeUndefined();
    expect(scanner.push(Buffer.from("\n"))).toEqual({ kind: "found", model: "m" });
  });

  test("of 60 KiB after headers of 16 KiB", () => {
    const model = "m".repeat(60 * 1024);
    const start = '--abc\r\nContent-Disposition: form-data; name="model"\r\n';
    const header = `x: ${"x".repeat(16 * 1024 - (start.length - 7) - 7)}\r\n`;
    expect(scan(`${start}${header}\r\n${model}\r\n${END}`)).toEqual({ kind: "found", model });
  });
});

describe("MultipartScanner finds no model", () => {
  test.each<[body: string, reason: "no body" | "no model" | "empty"]>([
    ["", "no body"],
    [END, "no model"],
    ["--abc--", "no model"],
    [`\r\n${END}`, "no model"],
    [part("name=a", "model") + END, "no model"],
    [`${part("name=a", "")}${END}${MODEL}${END}`, "no model"],
    [part("name=model; filename=x", "m") + END, "no model"],
    [part("name=model", "") + END, "empty"],
    [part("name=model", "") + MODEL + END, "empty"],
    [`--abc\r\nContent-Disposition: form-data; name=model\r\n\r\n${END}`, "empty"],
  ])("in %p: %s", (body, reason) => {
    expect(scan(body)).toEqual({ kind: "missing", reason });
  });
});
