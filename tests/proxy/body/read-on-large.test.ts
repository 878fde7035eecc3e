/** The cost of reading on in large bodies: no body stays in memory, and no other request waits long. */
import { describe, expect, test } from "bun:test";
import { KeptBytes } from "../../../src/proxy/body/kept-bytes.ts";
import type { ReadResult, ReadTo } from "../../../src/proxy/body/read-result.ts";
import { readModelField } from "../../../src/proxy/body/request-body.ts";
import { contentOf } from "../../support/client/sent-body.ts";
import { NO_LIMIT, readPieces, streamed } from "../../support/proxy/read-body.ts";
import { cutAt } from "../../support/proxy/scan-model.ts";
import { NO_TURNS } from "../../support/proxy/turns.ts";
import { until, within } from "../../support/until.ts";

const MIB = 1024 * 1024;

const WAYS: readonly [way: string, isLengthKnown: boolean][] = [
  ["of known length", true],
  ["in chunks", false],
];

describe("a large body", () => {
  /** Uses a real server, so the network cuts the pieces. */
  async function throughServer(body: Buffer<ArrayBuffer>, to: ReadTo) {
    const seen = Promise.withResolvers<{
      form: string;
      prompt: number | undefined;
      same: boolean;
    }>();
    using server = Bun.serve({
      port: 0,
      maxRequestBodySize: NO_LIMIT,
      fetch: async (request) => {
        const read = await readModelField(request, new KeptBytes(NO_LIMIT), NO_TURNS);
        const given = await read.body(to);
        const prompt = read.told().prompt?.length;
        const sent = await new Response(contentOf(given)).bytes();
        const same = Buffer.compare(sent, body) === 0;
        seen.resolve({ form: given.kind, prompt, same });
        return new Response();
      },
    });
    const init = { method: "POST", body };
    fetch(`http://127.0.0.1:${server.port}/`, init).catch(seen.reject);
    return await within("the body", seen.promise);
  }

  function bodyOf(length: number): Buffer<ArrayBuffer> {
    const frame = '{"model":"m","input":""}';
    return Buffer.from(`${frame.slice(0, -2)}${"x".repeat(length - frame.length)}"}`);
  }

  const FRAME = '{"model":"m","input":}'.length;

  test.each<[length: number, to: ReadTo, form: string, prompt: number]>([
    [MIB - 1, "prompt", "bytes", MIB - 1 - FRAME],
    [MIB, "prompt", "bytes", MIB - FRAME],
    [MIB, "object", "bytes", MIB - FRAME],
    [MIB + 1, "object", "stream", MIB + 1 - FRAME],
    [MIB + FRAME, "object", "stream", MIB],
    [MIB + FRAME + 1, "object", "stream", MIB],
    [100_000_000, "object", "stream", MIB],
  ])("of %d bytes, to the %s", async (length, to, form, prompt) => {
    expect(await throughServer(bodyOf(length), to)).toEqual({ form, prompt, same: true });
  });

  test("of 1 MiB plus one byte, to the prompt, finds the part that has come", async () => {
    const { form, prompt, same } = await throughServer(bodyOf(MIB + 1), "prompt");
    expect([form, same]).toEqual(["stream", true]);
    expect(prompt ?? 0).toBeLessThan(MIB);
  });

  test("in pieces of one byte", async () => {
    const body = bodyOf(100_000);
    const pieces = cutAt(body, ...body.keys());
    for (const isLengthKnown of [true, false]) {
      const seen = await readPieces(pieces, { to: "object", isLengthKnown });
      expect([seen.isWhole, seen.told.prompt?.length]).toEqual([true, body.length - FRAME]);
    }
  });
});

describe("readModelField() that reads on", () => {
  /** Slow to scan: 1 MiB of short keys, or as many as come. */
  const KEYS = Buffer.from('"":"",'.repeat(170_000));

  test.each(WAYS)("yields to other work in a body %s", async (_way, isLengthKnown) => {
    const pieces = [Buffer.from('{"model":"m",'), KEYS, Buffer.from('"a":1}')];
    if (!isLengthKnown) pieces.splice(1, 0, KEYS, KEYS, KEYS);
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const length = Buffer.concat(pieces).length;
    const headers: Record<string, string> = isLengthKnown
      ? { "content-length": String(length) }
      : {};
    const { request } = streamed(pieces, headers);
    const { body, told, discard } = await readModelField(
      request,
      new KeptBytes(NO_LIMIT),
      NO_TURNS,
    );
    const before = turns;
    await body("object");
    isOver = true;
    expect(turns - before).toBeGreaterThan(2);
    expect(told().mayBeBackground).toBeFalse();
    discard();
  });

  test.each(["prompt", "object"] as const)("to the %s keeps no body in memory", async (to) => {
    const results: ReadResult[] = [];
    const bodies: WeakRef<Uint8Array>[] = [];
    const readOne = async (): Promise<void> => {
      function* whole(): Generator<Uint8Array> {
        yield Buffer.from(`{"model":"m","input":"${"x".repeat(500_000)}"}`);
      }
      const { request } = streamed(whole(), { "content-length": "500024" });
      const result = await readModelField(request, new KeptBytes(NO_LIMIT), NO_TURNS);
      const given = await result.body(to);
      if (given.kind !== "bytes") throw new Error(given.kind);
      bodies.push(new WeakRef(given.bytes));
      expect(result.told().prompt?.length).toBe(500_002);
      results.push(result); // lives as long as the answer
    };
    for (let count = 0; count < 20; count += 1) await readOne();
    const left = (): number => bodies.filter((body) => body.deref() !== undefined).length;
    await until("they are collected", () => {
      Bun.gc(true);
      return left() <= 2; // the stack may still refer to one
    });
    expect(results.map((result) => result.told().prompt).filter(Boolean).length).toBe(left());
  });
});
