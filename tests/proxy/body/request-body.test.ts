import { describe, expect, test } from "bun:test";
import { KeptBytes } from "../../../src/proxy/body/kept-bytes.ts";
import type { ReadResult, RequestBody } from "../../../src/proxy/body/read-result.ts";
import { readModelField } from "../../../src/proxy/body/request-body.ts";
import { piecewise } from "../../support/client/piecewise.ts";
import { rawExchange } from "../../support/client/raw-http.ts";
import { contentOf, streamOf } from "../../support/client/sent-body.ts";
import { NO_TURNS } from "../../support/proxy/turns.ts";
import { until, within } from "../../support/until.ts";

const NO_LIMIT = Number.POSITIVE_INFINITY;
const MIB = 1024 * 1024;

type ModelField = ReadResult["verdict"] & Pick<ReadResult, "body" | "discard">;

async function readField(request: Request, keptBytesMax: number): Promise<ModelField> {
  const read = await readModelField(request, new KeptBytes(keptBytesMax), NO_TURNS);
  return { ...read.verdict, body: (to) => read.body(to), discard: () => read.discard() };
}

/** The result of reading a body: the field, the kind of the body to send, and its bytes. */
type Seen = { readonly field: ModelField; readonly form: string; readonly bytes: Uint8Array };

/** Sends the body to a real server, which reads its model and then the body to send. */
async function throughServer(
  body: Bun.BodyInit | undefined,
  keptBytesMax = NO_LIMIT,
): Promise<Seen> {
  const seen = Promise.withResolvers<Seen>();
  using server = Bun.serve({
    port: 0,
    maxRequestBodySize: NO_LIMIT,
    fetch: async (request) => {
      const field = await readField(request, keptBytesMax);
      const kept = field.kind === "found" ? await field.body() : undefined;
      const bytes = kept === undefined ? new Uint8Array() : await bytesOf(kept);
      seen.resolve({ field, form: kept?.kind ?? "none", bytes });
      return new Response();
    },
  });
  const init = { method: "POST", ...(body === undefined ? {} : { body }) };
  fetch(`http://127.0.0.1:${server.port}/`, init).catch(seen.reject);
  return await within("the body", seen.promise);
}

function bytesOf(body: RequestBody): Promise<Uint8Array> {
  return new Response(contentOf(body)).bytes();
}

/** `{"messages":"…","model":"m",…` of a length in bytes, with bytes after the model that are not text. */
function bodyOf(bytes: number, modelAt: number): Buffer<ArrayBuffer> {
  const body = Buffer.alloc(bytes, "x");
  body.write('{"messages":"');
  body.write('","model":"m","rest":', modelAt);
  for (let at = modelAt + 21; at < bytes; at += 1) body[at] = (at * 2_654_435_761) % 251;
  return body;
}

describe("readModelField() through a server", () => {
  test.each<[what: string, body: Bun.BodyInit | undefined]>([
    ["no body", undefined],
    ["an empty body", ""],
  ])("finds nothing in a request with %s", async (_what, body) => {
    expect((await throughServer(body)).field).toMatchObject({ kind: "missing", reason: "no body" });
  });

  test.each<[what: string, body: Buffer<ArrayBuffer>, form: string]>([
    ["a short body", Buffer.from('{"model":"m"}'), "bytes"],
    ["the model first", bodyOf(300_000, 20), "bytes"],
    ["the model last", bodyOf(300_000, 299_900), "bytes"],
    ["1 MiB", bodyOf(MIB, 500_000), "bytes"],
    ["1 MiB and a byte", bodyOf(MIB + 1, 500_000), "stream"],
    ["8 MiB, the model first", bodyOf(8 * MIB, 20), "stream"],
    ["8 MiB, the model last", bodyOf(8 * MIB, 8 * MIB - 30), "stream"],
  ])("keeps a body with Content-Length byte for byte: %s", async (_what, body, form) => {
    const seen = await throughServer(body);
    expect(seen.field).toMatchObject({ kind: "found", model: "m" });
    expect(seen.form).toBe(form);
    expect(Buffer.compare(seen.bytes, body)).toBe(0);
  });

  test.each<[what: string, body: Buffer<ArrayBuffer>]>([
    ["a short body", Buffer.from('{"model":"m"}')],
    ["3 MiB, the model in the middle", bodyOf(3 * MIB, MIB)],
  ])("keeps a chunked body a stream, byte for byte: %s", async (_what, body) => {
    const seen = await throughServer(halves(body));
    expect(seen.field).toMatchObject({ kind: "found", model: "m" });
    expect(seen.form).toBe("stream");
    expect(Buffer.compare(seen.bytes, body)).toBe(0);
  });

  test("refuses a body with too many bytes before its model, and accepts one with fewer", async () => {
    const limit = 2 * MIB;
    const refused = await throughServer(bodyOf(4 * MIB, 3 * MIB), limit);
    expect(refused.field).toMatchObject({ kind: "too much" });
    const taken = await throughServer(bodyOf(4 * MIB, MIB), limit);
    expect(taken.field).toMatchObject({ kind: "found", model: "m" });
  });

  test("gives an early verdict on a body that never ends", async () => {
    using server = Bun.serve({
      port: 0,
      fetch: async (request) => Response.json(await readField(request, NO_LIMIT)),
    });
    const head =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\nConnection: close\r\n\r\n";
    const answer = await rawExchange(server.port!, `${head}[`);
    expect(answer).toEndWith('{"kind":"invalid","offset":0,"expected":"a JSON object (\\"{\\")"}');
  });
});

describe("readModelField() of pieces", () => {
  test("reads no piece after the model before the body is read", async () => {
    const pieces = ['{"a":1,', '"model":"m"', ',"b":2', "}"];
    const { request, state } = piecewise(pieces);
    const field = await readField(request, NO_LIMIT);
    if (field.kind !== "found") throw new Error(`Found nothing: ${field.kind}`);
    expect(state.pulls).toBe(2);
    const reader = streamOf(await field.body()).getReader();
    const taken: [piece: string | undefined, pulls: number][] = [];
    for (let count = 0; count < 4; count += 1) {
      const { value } = await within("a piece", reader.read());
      taken.push([value && Buffer.from(value).toString(), state.pulls]);
    }
    expect(taken).toEqual([
      [`${pieces[0]}${pieces[1]}`, 2], // it joins small pieces that have come
      [pieces[2], 3],
      [pieces[3], 4],
      [undefined, 5],
    ]);
  });

  test("reads all of a small body of known length", async () => {
    const rest = `,"pad":"${"x".repeat(100_000)}"}`;
    const pieces = ['{"model":"m"', rest];
    const { request, state } = piecewise(pieces, { "content-length": String(12 + rest.length) });
    const field = await readField(request, NO_LIMIT);
    expect(await bodyAtHand(field)).toEqual(Buffer.from(pieces.join("")));
    expect(state.pulls).toBe(2); // the whole body has come, so it needs no read for the end
  });

  test.each<[keptBytesMax: number, kind: ModelField["kind"]]>([
    [109, "too much"],
    [110, "found"], // the limit counts bytes before the piece with the model, not this piece
    [NO_LIMIT, "found"],
  ])("with a limit of %d bytes, and 110 bytes before the model: %s", async (keptBytesMax, kind) => {
    const { request } = piecewise([`{"a":"b${"x".repeat(100)}`, '"  ', ',"model":"m"', "}"]);
    expect((await readField(request, keptBytesMax)).kind).toBe(kind);
  });

  test.each<[what: string, pieces: readonly string[], keptBytesMax: number]>([
    ["too much", ['{"a":"xxx', "xxx"], 5],
    ["missing", ['{"model":1', "}"], NO_LIMIT],
    ["invalid", ["[", "]"], NO_LIMIT],
  ])("cancels the rest of a body whose verdict is %s", async (what, pieces, keptBytesMax) => {
    const { request, state } = piecewise(pieces);
    const { kind, discard } = await readField(request, keptBytesMax);
    expect<string>(kind).toBe(what);
    discard();
    await until("the body is cancelled", () => state.cancelled !== undefined);
    expect(state.pulls).toBe(1);
  });

  test("cancels the client's body with the same reason when the sent body is cancelled", async () => {
    const { request, state } = piecewise(['{"model":"m"', "}"]);
    const field = await readField(request, NO_LIMIT);
    if (field.kind !== "found") throw new Error(`Found nothing: ${field.kind}`);
    await streamOf(await field.body()).cancel("upstream gone");
    expect(state.cancelled).toBe("upstream gone");
  });

  test.each<[when: string, first: string, headers: Record<string, string>]>([
    ["before the model", '{"a":', {}],
    ["in a small body", '{"model":"m"', { "content-length": "20" }],
  ])("fails with the error of the client's body %s", async (_when, first, headers) => {
    const gone = new Error("The connection was closed.");
    const request = new Request("http://proxy.test/", {
      method: "POST",
      headers,
      body: failing(first, gone),
    });
    const failure = readField(request, NO_LIMIT)
      .then(bodyAtHand)
      .catch((error: unknown) => error);
    expect(await within("the failure", failure)).toBe(gone);
  });

  test("makes the sent body fail, not end, when the client breaks off after the model", async () => {
    const gone = new Error("The connection was closed.");
    const body = failing('{"model":"m"', gone);
    const field = await readField(
      new Request("http://proxy.test/", { method: "POST", body }),
      NO_LIMIT,
    );
    if (field.kind !== "found") throw new Error(`Found nothing: ${field.kind}`);
    const failure = bytesOf(await field.body()).catch((error: unknown) => error);
    expect(await within("the failure", failure)).toBe(gone);
  });
});

/** A stream: fetch sends it chunked. */
function halves(body: Buffer<ArrayBuffer>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      controller.enqueue(body.subarray(0, body.length / 2));
      controller.enqueue(body.subarray(body.length / 2));
      controller.close();
    },
  });
}

/** One piece, then a failure. */
function failing(first: string, error: Error): ReadableStream<Uint8Array> {
  let pulls = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        pulls += 1;
        if (pulls === 1) controller.enqueue(Buffer.from(first));
        else controller.error(error);
      },
    },
    { highWaterMark: 0 },
  );
}

async function bodyAtHand(field: ModelField): Promise<unknown> {
  return field.kind === "found" ? contentOf(await field.body()) : field;
}
