import { describe, expect, test } from "bun:test";
import { MultipartScanner } from "../../../src/proxy/body/multipart-field.ts";
import { scanMultipart } from "../../support/client/multipart-body.ts";
import { cutAt } from "../../support/proxy/scan-model.ts";

const scan = (text: string) => scanMultipart("abc", [Buffer.from(text)]);

describe("MultipartScanner refuses a body that is not multipart/form-data", () => {
  const FIRST = 'the boundary "--abc" of the first part';
  const FIRST_CRLF = 'CRLF (not LF alone) after the boundary "--abc"';
  const LAST = 'the closing boundary "--abc--"';
  const HEADERS = "the rest of the headers of a part";
  const HEADER_CRLF = "CRLF (not LF alone) after a header";
  const COLON = 'the ":" of a header';
  const DISPOSITION = 'the header "Content-Disposition: form-data; name=…" of a part';
  const START = "--abc\r\nContent-Disposition: form-data; name=model\r\n"; // 51 bytes
  const PART = "--abc\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n";

  test.each<[body: string, offset: number, expected: string]>([
    ["{}", 2, FIRST],
    ["--xyz\r\n", 7, FIRST],
    ["x--abc\r\n", 8, FIRST],
    ["\n--abc\r\n", 8, FIRST],
    ["--ab", 4, FIRST],
    ["--abcd", 6, FIRST],
    ["--abc", 5, FIRST_CRLF],
    ["--abc ", 6, FIRST_CRLF],
    ["--abc\r", 6, FIRST_CRLF],
    ["--abc-", 6, FIRST_CRLF],
    ["--abc\nContent-", 5, FIRST_CRLF],
    ["--abc \n", 6, FIRST_CRLF],
    ["--abc\r\n", 7, HEADERS],
    ["--abc\r\nConte", 12, HEADERS],
    ["--abc\r\na: b\r", 12, HEADERS],
    [START, 51, HEADERS],
    [`${START}\r`, 52, HEADERS],
    ["--abc\r\na: b\n\n", 11, HEADER_CRLF],
    ["--abc\r\n\n", 7, HEADER_CRLF],
    [`${START}\n`, 51, HEADER_CRLF],
    ["--abc\r\n--abc\r\n", 7, COLON],
    ["--abc\r\na: b\r\nc d\r\n", 13, COLON],
    ["--abc\r\n a; b\r\n", 7, COLON],
    ["--abc\r\n\r\nm\r\n--abc--", 7, DISPOSITION],
    ["--abc\r\nContent-Type: text/plain\r\n\r\n", 7, DISPOSITION],
    ["--abc\r\nContent-Disposition: form-data\r\n\r\n", 7, DISPOSITION],
    ["--abc\r\nContent-Disposition: form-data; filename=model\r\n\r\n", 7, DISPOSITION],
    ["--abc\r\nContent-Disposition: attachment; name=model\r\n\r\n", 7, DISPOSITION],
    ["--abc\r\nContent-Disposition:\r\n\r\n", 7, DISPOSITION],
    [`${START}\r\n`, 53, LAST],
    [`${START}\r\nm`, 54, LAST],
    [`${START}\r\nm\r\n--ab`, 60, LAST],
    [`${START}\r\nm\r\n--abc`, 61, LAST],
    [`${START}\r\nm\r\n--abc `, 62, LAST],
    [`${START}\r\nm\r\n--abc\r`, 62, LAST],
    [`${START}\r\nm\r\n--abc-`, 62, LAST],
    [`${START}\r\nm\r\n--abc--x`, 64, LAST],
    [`${START}\r\nm\n--abc--\n`, 63, LAST],
    [PART, 52, LAST],
    [`${PART}--xyz--`, 59, LAST],
  ])("%p at byte %d: expected %s", (body, offset, expected) => {
    expect(scan(body)).toEqual({ kind: "invalid", offset, expected });
  });

  test.each<[what: string, start: string, limit: number, expected: string]>([
    ["one header", "--abc\r\na: ", 7 + 16 * 1024, "the end of the headers of a part within 16 KiB"],
  ])("when %s does not end", (_what, start, limit, expected) => {
    const bytes = Buffer.from(start + "x".repeat(limit + 1 - start.length));
    const verdict = { kind: "invalid", offset: limit, expected } as const;
    const scanner = new MultipartScanner("abc");
    expect(scanner.push(bytes.subarray(0, limit))).toBeUndefined();
    expect(scanner.push(bytes.subarray(limit))).toEqual(verdict);
    expect(scanMultipart("abc", [bytes])).toEqual(verdict);
  });

  test("when there are too many short headers", () => {
    const bytes = Buffer.from(`--abc\r\n${"a: b\r\n".repeat(3_000)}`);
    const expected = "the end of the headers of a part within 16 KiB";
    const verdict = { kind: "invalid", offset: 7 + 16 * 1024, expected } as const;
    expect(scanMultipart("abc", [bytes])).toEqual(verdict);
    expect(scanMultipart("abc", cutAt(bytes, ...bytes.keys()))).toEqual(verdict);
  });

  test("and quotes the boundary", () => {
    const scanner = new MultipartScanner('a"b');
    expect(scanner.push(Buffer.from("{}"))).toBeUndefined();
    expect(scanner.end()).toMatchObject({ expected: 'the boundary "--a\\"b" of the first part' });
  });
});
