import { describe, expect, test } from "bun:test";
import { MODEL_BYTES_MAX, type Verdict } from "../../../src/proxy/body/verdict.ts";
import { scanMultipart } from "../../support/client/multipart-body.ts";
import { chat } from "../../support/client/requests.ts";
import { residentWithoutGarbage } from "../../support/process/own-memory.ts";
import { startProxyTo } from "../../support/proxy/in-process.ts";
import { cutAt, scanModel } from "../../support/proxy/scan-model.ts";
import { fakeBackend } from "../../support/server/scripted.ts";

const MIB = 1024 * 1024;

type Kind = readonly [
  kind: string,
  start: string,
  bodyOf: (model: string) => Buffer,
  scan: (pieces: Iterable<Uint8Array>) => Verdict,
];

const FORM = '--abc\r\nContent-Disposition: form-data; name="model"\r\n\r\n';

const KINDS: readonly Kind[] = [
  ["JSON", '{"model":"', (model) => Buffer.from(`{"model":"${model}"}`), scanModel],
  [
    "multipart",
    FORM,
    (model) => Buffer.from(`${FORM}${model}\r\n--abc--\r\n`),
    (pieces) => scanMultipart("abc", pieces),
  ],
];

describe.each(KINDS)("a model in %s", (_kind, start, bodyOf, scan) => {
  const longest = "x".repeat(MODEL_BYTES_MAX);

  test.each([1, 1_000, MIB])("may have 64 KiB and no byte more, in pieces of %d bytes", (size) => {
    const inPieces = (body: Buffer): Uint8Array[] =>
      cutAt(
        body,
        ...Array.from({ length: Math.floor((body.length - 1) / size) }, (_, n) => (n + 1) * size),
      );
    expect(scan(inPieces(bodyOf(longest)))).toEqual({ kind: "found", model: longest });
    const tooLong = { kind: "missing", reason: "too long" } as const;
    expect(scan(inPieces(bodyOf(`${longest}x`)))).toEqual(tooLong);
  });

  test("that never ends is refused early and takes little memory, also in pieces of one byte", () => {
    let given = 0;
    function* endless(): Generator<Uint8Array> {
      yield Buffer.from(start);
      for (; given < 120 * MIB; given += 1) yield Uint8Array.of(0x78);
    }
    const before = residentWithoutGarbage();
    expect(scan(endless())).toEqual({ kind: "missing", reason: "too long" });
    expect(given).toBeLessThan(MODEL_BYTES_MAX + 2 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(40 * MIB);
  });
});

test("the limit counts the bytes as written, for escapes and for characters of several bytes", () => {
  const count = MODEL_BYTES_MAX / 6;
  const escaped = (times: number): Buffer => Buffer.from(`{"model":"${"\\u0078".repeat(times)}"}`);
  expect(scanModel([escaped(Math.floor(count))]).kind).toBe("found");
  expect(scanModel([escaped(Math.ceil(count))])).toEqual({ kind: "missing", reason: "too long" });
  const euros = (times: number): Buffer => Buffer.from(`{"model":"${"€".repeat(times)}"}`);
  expect(scanModel([euros(Math.floor(MODEL_BYTES_MAX / 3))]).kind).toBe("found");
  expect(scanModel([euros(Math.ceil(MODEL_BYTES_MAX / 3))]).kind).toBe("missing");
});

test("createHandler() answers 400 model_required to a model of 64 KiB plus one byte", async () => {
  using upstream = fakeBackend();
  using proxy = startProxyTo(upstream.origin);
  const answer = await chat(proxy.origin, "x".repeat(MODEL_BYTES_MAX + 1));
  expect(answer.status).toBe(400);
  const { error } = (await answer.json()) as { error: { code: string; message: string } };
  expect(error.code).toBe("model_required");
  expect(error.message).toContain('"model" is longer than 64 KiB');
});
