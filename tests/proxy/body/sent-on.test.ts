/** Sending a body as a stream: complete, in large pieces, at the server's pace, and without bytes left in memory. */
import { describe, expect, test } from "bun:test";
import { KeptBytes } from "../../../src/proxy/body/kept-bytes.ts";
import { BodyPieces } from "../../../src/proxy/body/pieces.ts";
import type { BodySource } from "../../../src/proxy/body/read-on.ts";
import { sentOn } from "../../../src/proxy/body/sent-on.ts";
import { SpareBuffers } from "../../../src/proxy/body/spare-buffers.ts";
import { UploadReader } from "../../../src/proxy/body/upload-reader.ts";
import { streamOf } from "../../support/client/sent-body.ts";
import { streamed } from "../../support/proxy/read-body.ts";
import { NO_TURNS } from "../../support/proxy/turns.ts";
import { until, within } from "../../support/until.ts";

const JOINED_BYTES = 512 * 1024;
const MIB = 1024 * 1024;

function sourceOf(request: Request): BodySource {
  if (request.body === null) throw new Error("the request has no body");
  const reader = new UploadReader(request.body, NO_TURNS);
  const keep = new KeptBytes(MIB).open();
  return { reader, pieces: new BodyPieces(), keep, isFull: false, next: undefined };
}

/** Sends each body to `origin`, with these buffers. */
function passingOn(origin: () => string, spare: SpareBuffers) {
  return Bun.serve({
    port: 0,
    fetch: async (request) => {
      const body = sentOn(sourceOf(request), spare);
      if (body.kind !== "stream") throw new Error("no stream");
      try {
        return await fetch(origin(), { method: "POST", body: body.stream });
      } catch {
        return new Response(null, { status: 502 });
      }
    },
  });
}

/** All bodies differ, and so do all pieces of one body. */
function bodyOf(bytes: number, seed: number): Uint8Array<ArrayBuffer> {
  const body = new Uint32Array(bytes / 4);
  for (let at = 0; at < body.length; at += 1) body[at] = (at + seed * 7919) * 2_654_435_761;
  return new Uint8Array(body.buffer);
}

const hashOf = (bytes: Uint8Array): string => Bun.hash(bytes).toString(16);

describe("sentOn()", () => {
  test.each([0, 3, 32])("sends 40 bodies at once byte for byte, with %d buffers", async (max) => {
    const spare = new SpareBuffers(max, JOINED_BYTES);
    using server = Bun.serve({
      port: 0,
      fetch: async (request) => new Response(hashOf(await request.bytes())),
    });
    using proxy = passingOn(() => server.url.href, spare);
    const bodies = Array.from({ length: 40 }, (_, n) => bodyOf(3 * MIB + 4 * n, n));
    const seen = bodies.map(async (body) => {
      const answer = await fetch(proxy.url, { method: "POST", body });
      return await answer.text();
    });
    expect(await within("the answers", Promise.all(seen))).toEqual(bodies.map(hashOf));
    expect(spare.taken).toBe(0);
  });

  test("joins pieces that have come", async () => {
    const sizes: number[] = [];
    using server = Bun.serve({
      port: 0,
      fetch: async (request) => {
        const stream = streamOf(sentOn(sourceOf(request), new SpareBuffers(1, JOINED_BYTES)));
        for await (const piece of stream) sizes.push(piece.length);
        return new Response();
      },
    });
    await fetch(server.url, { method: "POST", body: bodyOf(8 * MIB, 1) });
    expect(Math.max(...sizes)).toBeWithin(128 * 1024, JOINED_BYTES + 1);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(8 * MIB);
  });

  test("frees the memory of a piece when the next piece is pulled", async () => {
    const { request } = streamed([bodyOf(8, 1), bodyOf(12, 2), bodyOf(16, 3)]);
    const sent = sentOn(sourceOf(request));
    if (sent.kind !== "stream") throw new Error("no stream");
    const given: Uint8Array[] = [];
    const lengths: (readonly number[])[] = [];
    for await (const piece of sent.stream) {
      given.push(piece);
      lengths.push(given.map(({ length }) => length));
    }
    expect(lengths).toEqual([[8], [0, 12], [0, 0, 16]]);
  });

  test("gives its buffer back when the server goes away", async () => {
    const spare = new SpareBuffers(4, JOINED_BYTES);
    using server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.terminate() },
    });
    using proxy = passingOn(() => `http://127.0.0.1:${server.port}/`, spare);
    for (let n = 0; n < 8; n += 1) {
      const sent = fetch(proxy.url, { method: "POST", body: bodyOf(16 * MIB, n) });
      await within(
        "the end",
        sent.catch(() => undefined),
      );
    }
    await until("all are given back", () => spare.taken === 0);
  });

  test("gives its buffer back once when it is cancelled", async () => {
    const spare = new SpareBuffers(4, JOINED_BYTES);
    const taken: number[] = [];
    using server = Bun.serve({
      port: 0,
      fetch: async (request) => {
        const reader = streamOf(sentOn(sourceOf(request), spare)).getReader();
        for (let n = 0; n < 4; n += 1) await reader.read();
        taken.push(spare.taken);
        const pending = reader.read();
        await reader.cancel();
        await pending;
        taken.push(spare.taken);
        return new Response();
      },
    });
    const sent = fetch(server.url, { method: "POST", body: bodyOf(16 * MIB, 1) });
    await within(
      "the end",
      sent.catch(() => undefined),
    );
    expect(taken).toEqual([1, 0]);
  });
});
