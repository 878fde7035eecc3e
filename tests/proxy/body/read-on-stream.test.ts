/** How far the proxy reads on in a body that it sends as a stream. */
import { describe, expect, test } from "bun:test";
import { KeptBytes } from "../../../src/proxy/body/kept-bytes.ts";
import type { ReadTo } from "../../../src/proxy/body/read-result.ts";
import { readModelField } from "../../../src/proxy/body/request-body.ts";
import { PROMPT_BYTES_MAX } from "../../../src/routing/choose.ts";
import { piecewise } from "../../support/client/piecewise.ts";
import { contentOf } from "../../support/client/sent-body.ts";
import { NO_LIMIT, streamed, textOf } from "../../support/proxy/read-body.ts";
import { NO_TURNS } from "../../support/proxy/turns.ts";
import { within } from "../../support/until.ts";

const MIB = 1024 * 1024;

describe("body() of a stream", () => {
  const PIECES = ['{"model":"m","inp', 'ut":"abc', 'def"', ',"n":1}', "   "];

  async function read(to: ReadTo, keptMax = NO_LIMIT) {
    const kept = new KeptBytes(keptMax);
    const { request, state } = piecewise(PIECES);
    const result = await readModelField(request, kept, NO_TURNS);
    const body = await result.body(to);
    return { result, body, kept, state, told: textOf(result.told()) };
  }

  test.each<[to: ReadTo, pulls: number, prompt: string | undefined]>([
    ["model", 1, undefined],
    ["prompt", 1, undefined],
    ["object", 4, '"abcdef"'],
  ])("to the %s reads %d pieces from the client", async (to, pulls, prompt) => {
    const { body, state, told } = await read(to);
    expect([state.pulls, told.prompt]).toEqual([pulls, prompt]);
    expect(await new Response(contentOf(body)).text()).toBe(PIECES.join(""));
  });

  test("to the prompt finds as much of it as has come", async () => {
    const { request, state } = piecewise(['{"model":"m","input":"abc', 'def"}']);
    const { body, told } = await readModelField(request, new KeptBytes(NO_LIMIT), NO_TURNS);
    await body("prompt");
    expect([textOf(told()).prompt, state.pulls]).toEqual(['"abc', 1]);
  });

  test("offers no prompt once the body is being sent", async () => {
    const { result, body } = await read("object");
    expect(result.told().prompt).toBeDefined();
    const reader = new Response(contentOf(body)).body!.getReader();
    await reader.read();
    expect(textOf(result.told())).toMatchObject({ prompt: undefined, mayBeBackground: false });
    await reader.cancel();
  });

  test.each([17, 18, 24, 26])(
    "stops at a limit of %d kept bytes, and still hands over everything",
    async (max) => {
      const { result, body, kept, told } = await read("object", max);
      const prompt = ['"abc', '"abcdef"'][max < 25 ? 0 : 1];
      expect(told).toMatchObject({ prompt, mayBeBackground: true });
      expect(kept.total).toBeWithin(1, 65);
      expect(await new Response(contentOf(body)).text()).toBe(PIECES.join(""));
      expect(kept.total).toBe(0);
      result.release();
    },
  );

  test("does not read on in a body of known length without room", async () => {
    const headers = { "content-length": String(PIECES.join("").length) };
    const { request } = piecewise(PIECES, headers);
    const kept = new KeptBytes(24);
    const { body, told, release } = await readModelField(request, kept, NO_TURNS);
    const given = await body("object");
    expect(given.kind).toBe("stream");
    expect(textOf(told())).toMatchObject({ prompt: '"abc', mayBeBackground: true });
    expect(await new Response(contentOf(given)).text()).toBe(PIECES.join(""));
    release();
    expect(kept.total).toBe(0);
  });

  test("stops where all requests together keep too many bytes", async () => {
    const kept = new KeptBytes(MIB);
    kept.reserve(4 * MIB - 100);
    const { request } = piecewise(['{"model":"m",', '"input":"', "x".repeat(200), '"}']);
    const { body, told, release } = await readModelField(request, kept, NO_TURNS);
    const sent = new Response(contentOf(await body("object")));
    expect(textOf(told()).prompt).toBe(`"${"x".repeat(200)}`);
    expect((await sent.text()).length).toBe(13 + 9 + 200 + 2);
    release();
    expect(kept.total).toBe(4 * MIB - 100);
  });

  test("stops in a body that never ends", async () => {
    function* endless(): Generator<Uint8Array> {
      yield Buffer.from('{"model":"m","input":"');
      for (;;) yield Buffer.alloc(10_000, "x");
    }
    const { request, state } = streamed(endless());
    const kept = new KeptBytes(3 * MIB);
    const { body, told, discard } = await readModelField(request, kept, NO_TURNS);
    expect((await within("the body", Promise.resolve(body("object")))).kind).toBe("stream");
    expect(state.pulls).toBeWithin(310, 320);
    expect(told().prompt?.length).toBe(PROMPT_BYTES_MAX);
    discard();
    expect(kept.total).toBe(0);
  });

  test("fails with the error of the client's body, and keeps nothing", async () => {
    const gone = new Error("The connection was closed.");
    function* breaking(): Generator<Uint8Array> {
      yield Buffer.from('{"model":"m","input":"');
      yield Buffer.from("x");
      throw gone;
    }
    const { request } = streamed(breaking());
    const kept = new KeptBytes(NO_LIMIT);
    const { body } = await readModelField(request, kept, NO_TURNS);
    expect(await Promise.resolve(body("object")).catch((error: unknown) => error)).toBe(gone);
    expect(kept.total).toBe(0);
  });
});
