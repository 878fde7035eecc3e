import { describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { boundaryOf } from "../../../src/proxy/body/multipart-field.ts";
import { scanMultipart } from "../../support/client/multipart-body.ts";
import { seededRandom } from "../../support/client/random-json.ts";
import { cutAt } from "../../support/proxy/scan-model.ts";

type Sent = { readonly boundary: string; readonly bytes: Buffer };

const random = seededRandom(5);
const DECOY = '\r\n--x\r\nContent-Disposition: form-data; name="model"\r\n\r\ndecoy\r\n--x--\r\n';
const AUDIO = Buffer.concat([
  Buffer.from(Array.from({ length: 3_000 }, () => random(256))),
  Buffer.from(DECOY),
  Buffer.from(Array.from({ length: 3_000 }, () => random(256))),
]);
const FILE = new File([AUDIO], 'a "name=model".wav');

function sentBy(contentType: string | null, bytes: ArrayBuffer): Sent {
  const boundary = boundaryOf(contentType ?? "");
  if (boundary === undefined) throw new Error(`Cannot read the boundary of ${contentType}`);
  return { boundary, bytes: Buffer.from(bytes) };
}

/** The body that the official client sends for a call. */
async function sentByOpenAi(call: (client: OpenAI) => Promise<unknown>): Promise<Sent> {
  const { promise, resolve } = Promise.withResolvers<Sent>();
  using server = Bun.serve({
    port: 0,
    async fetch(request) {
      resolve(sentBy(request.headers.get("content-type"), await request.arrayBuffer()));
      return Response.json({ text: "hello" });
    },
  });
  await call(new OpenAI({ apiKey: "unused", baseURL: `${server.url}v1`, maxRetries: 0 }));
  return promise;
}

async function sentByFormData(form: FormData): Promise<Sent> {
  const request = new Request("http://unused", { method: "POST", body: form });
  return sentBy(request.headers.get("content-type"), await request.arrayBuffer());
}

/** Scans in one piece, in two pieces for every cut near each end, and byte by byte. */
function expectFound({ boundary, bytes }: Sent, model: string): void {
  expect(scanMultipart(boundary, [bytes])).toEqual({ kind: "found", model });
  expect(scanMultipart(boundary, cutAt(bytes, ...bytes.keys()))).toEqual({ kind: "found", model });
  for (let at = 0; at <= bytes.length; at += 1) {
    const verdict = scanMultipart(boundary, cutAt(bytes, at));
    if (!Bun.deepEquals(verdict, { kind: "found", model })) expect({ at, verdict }).toBeUndefined();
  }
}

describe("MultipartScanner finds the model in bodies of the openai client", () => {
  test("for a transcription, model first", async () => {
    const body = { model: "org/whisper", file: FILE, language: "en" };
    const sent = await sentByOpenAi((client) => client.audio.transcriptions.create(body));
    expect(sent.bytes.indexOf("org/whisper")).toBeLessThan(sent.bytes.indexOf(AUDIO));
    expectFound(sent, "org/whisper");
  });

  test("for a transcription, file first", async () => {
    const body = { file: FILE, language: "en", model: "org/whisper" };
    const sent = await sentByOpenAi((client) => client.audio.transcriptions.create(body));
    expect(sent.bytes.indexOf("org/whisper")).toBeGreaterThan(sent.bytes.indexOf(AUDIO));
    expectFound(sent, "org/whisper");
  });

  test("for an edit of two images", async () => {
    const body = { image: [FILE, FILE], prompt: DECOY, model: "modèle 😀" };
    const sent = await sentByOpenAi((client) => client.images.edit(body));
    expectFound(sent, "modèle 😀");
  });
});

describe("MultipartScanner reads bodies of FormData", () => {
  test("with the model after a file, and after a file named model", async () => {
    const form = new FormData();
    form.append("model", FILE);
    form.append('a"; name="model', "x");
    form.append("model", "m\r\n");
    form.append("model", "second");
    expectFound(await sentByFormData(form), "m\r\n");
  });

  test("without fields, and without a model", async () => {
    const form = new FormData();
    const empty = await sentByFormData(form);
    expect(scanMultipart(empty.boundary, [empty.bytes])).toEqual({
      kind: "missing",
      reason: "no model",
    });
    form.append("file", FILE);
    const { boundary, bytes } = await sentByFormData(form);
    expect(scanMultipart(boundary, [bytes])).toEqual({ kind: "missing", reason: "no model" });
  });
});
