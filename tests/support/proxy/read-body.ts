/** Reads the rest of a body after its model, in the pieces that a test chooses. */
import { KeptBytes } from "../../../src/proxy/body/kept-bytes.ts";
import type { ReadTo, RequestBody, Told } from "../../../src/proxy/body/read-result.ts";
import { readModelField } from "../../../src/proxy/body/request-body.ts";
import { contentOf } from "../client/sent-body.ts";
import { NO_TURNS } from "./turns.ts";

export const NO_LIMIT = Number.POSITIVE_INFINITY;

export type Seen = {
  readonly form: RequestBody["kind"];
  /** With the prompt as a text. */
  readonly told: Omit<Told, "prompt"> & { readonly prompt: string | undefined };
  /** The bytes that are sent on equal the bytes that arrived. */
  readonly isWhole: boolean;
};

export type Asked = {
  readonly to: ReadTo;
  /** The body has a known length: it is not chunked. */
  readonly isLengthKnown: boolean;
  readonly kept?: KeptBytes;
};

/** Reads a body in these pieces, and sends it on. */
export async function readPieces(pieces: readonly Uint8Array[], asked: Asked): Promise<Seen> {
  const all = Buffer.concat(pieces);
  const headers = asked.isLengthKnown ? { "content-length": String(all.length) } : {};
  const { request } = streamed(pieces, headers);
  const read = await readModelField(request, asked.kept ?? new KeptBytes(NO_LIMIT), NO_TURNS);
  const body = await read.body(asked.to);
  const told = textOf(read.told());
  const sent = await new Response(contentOf(body)).bytes();
  read.release();
  return { form: body.kind, told, isWhole: Buffer.compare(sent, all) === 0 };
}

export function readText(text: string, asked: Asked): Promise<Seen> {
  return readPieces([Buffer.from(text)], asked);
}

export function textOf({ prompt, ...told }: Told): Seen["told"] {
  return { ...told, prompt: prompt === undefined ? undefined : Buffer.from(prompt).toString() };
}

/** A request that gives one piece at each pull, and how many pieces were taken. */
export function streamed(pieces: Iterable<Uint8Array>, headers: Record<string, string> = {}) {
  const state = { pulls: 0 };
  const iterator = pieces[Symbol.iterator]();
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        state.pulls += 1;
        const { done, value } = iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    },
    { highWaterMark: 0 },
  );
  const request = new Request("http://proxy.test/", { method: "POST", headers, body });
  return { request, state };
}
