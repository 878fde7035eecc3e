/**
 * Reads a request's body as far as its `model`, and gives it on whole: what was read first, then
 * the rest as it comes, at the pace of whoever takes it.
 */
import type { HeldBytes, Hold } from "./held-bytes.ts";
import { A_JSON_OBJECT, ModelScanner, type Verdict } from "./model-field.ts";
import { boundaryOf, MultipartScanner } from "./multipart-field.ts";

/** What is to be sent on: bytes that are all at hand, a stream that can be read once, or nothing. */
export type RequestBody = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | undefined;

export type ReadResult = {
  readonly verdict:
    | Verdict
    /** Neither JSON nor multipart, and does not say it is: nothing to find a model in. */
    | { readonly kind: "other" }
    /** Too much came before the model, of this request or of all together. */
    | { readonly kind: "too much" | "overloaded" };
  /** All of the body, what was read included. To be called once, or else `discard`. */
  readonly body: () => Promise<RequestBody>;
  /** Nobody will send the body. */
  readonly discard: () => void;
  /** A body at hand has been sent and will not be sent again. */
  readonly release: () => void;
};

/** Bodies up to this length are read whole: one piece costs less than a stream, and can be sent again. */
const WHOLE_BYTES_MAX = 1024 * 1024;

type Reader = Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">;

type Scanner = Pick<ModelScanner, "push" | "end">;

/** What has been read of a body so far, and where the rest comes from. */
type Source = {
  readonly reader: Reader;
  readonly pieces: Uint8Array[];
  readonly hold: Hold;
};

/** @throws the stream's error if the client goes away */
export async function readModelField(request: Request, held: HeldBytes): Promise<ReadResult> {
  const reader = readerOf(request, held);
  if (reader === undefined) return NO_BODY;
  const source: Source = { reader, pieces: [], hold: held.open() };
  const { hold } = source;
  try {
    const verdict = await scan(source, request.headers.get("content-type") ?? "");
    return {
      verdict,
      body: () => bodyOf(request, source),
      discard: () => {
        hold.end();
        reader.cancel().catch(() => undefined);
      },
      release: hold.end,
    };
  } catch (error) {
    hold.end();
    throw error;
  }
}

/** @returns undefined if there is no body */
function readerOf(request: Request, held: HeldBytes): Reader | undefined {
  const length = Number(request.headers.get("content-length") ?? 0);
  const mayBeWhole = request.method === "POST" && length > 0 && length <= WHOLE_BYTES_MAX;
  const came = mayBeWhole ? held.expect(length) : undefined;
  return came === undefined ? request.body?.getReader() : new WholeBodyReader(request, came);
}

/**
 * All of a body as one piece, which Bun gathers for half of the CPU time that its stream takes. It
 * must not be asked for as a stream: that alone would cost as much.
 */
class WholeBodyReader implements Reader {
  readonly #request: Request;
  readonly #came: () => void;
  #read = false;

  constructor(request: Request, came: () => void) {
    this.#request = request;
    this.#came = came;
  }

  async read(): ReturnType<Reader["read"]> {
    if (this.#read) return { done: true, value: undefined };
    this.#read = true;
    try {
      return { done: false, value: await this.#request.bytes() };
    } finally {
      this.#came();
    }
  }

  cancel(): Promise<void> {
    if (!this.#read) this.#came(); // nobody awaits it any more
    this.#read = true;
    return Promise.resolve();
  }
}

const NO_BODY: ReadResult = {
  verdict: { kind: "missing", why: "no body" },
  body: async () => undefined,
  discard: () => undefined,
  release: () => undefined,
};

async function scan(source: Source, contentType: string): Promise<ReadResult["verdict"]> {
  const scanner = scannerOf(contentType);
  if (scanner === undefined) {
    return { kind: "invalid", offset: 0, expected: 'a "boundary" in the Content-Type' };
  }
  for (;;) {
    const { done, value } = await source.reader.read();
    if (done) return judge(scanner.end(), contentType);
    const verdict = scanner.push(value);
    keep(source.pieces, value);
    const taken = source.hold.take(value.length);
    if (verdict !== undefined) return judge(verdict, contentType);
    if (taken !== "taken") return { kind: taken === "total limit" ? "overloaded" : "too much" };
  }
}

/** Pieces up to this are joined: a body of one-byte chunks would take a hundred times its length. */
const JOINED_BYTES_MAX = 256;

function keep(pieces: Uint8Array[], piece: Uint8Array): void {
  const last = pieces.at(-1);
  const joined = last !== undefined && last.length + piece.length <= JOINED_BYTES_MAX;
  if (joined) pieces[pieces.length - 1] = Buffer.concat([last, piece]);
  else pieces.push(piece);
}

function judge(verdict: Verdict, contentType: string): ReadResult["verdict"] {
  return isOther(verdict, contentType) ? { kind: "other" } : verdict;
}

function scannerOf(contentType: string): Scanner | undefined {
  if (!/^\s*multipart\/form-data\b/i.test(contentType)) return new ModelScanner();
  const boundary = boundaryOf(contentType);
  return boundary === undefined ? undefined : new MultipartScanner(boundary);
}

/**
 * Whether what is no JSON object does not claim to be one. The Content-Type of JSON does not matter
 * (curl says it is a form), so only a type of something else counts.
 */
function isOther(verdict: Verdict, contentType: string): boolean {
  const notAnObject = verdict.kind === "invalid" && verdict.expected === A_JSON_OBJECT;
  return notAnObject && contentType !== "" && !/json|x-www-form-urlencoded/i.test(contentType);
}

/** A body of known and small length comes in one piece; Content-Length and chunked stay what they were. */
async function bodyOf(request: Request, source: Source): Promise<RequestBody> {
  const length = Number(request.headers.get("content-length") ?? Number.POSITIVE_INFINITY);
  if (!(length <= WHOLE_BYTES_MAX)) return heldThenRest(source);
  const { reader, pieces, hold } = source;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return inOnePiece(pieces);
      keep(pieces, value);
      if (hold.take(value.length) !== "taken") return heldThenRest(source); // no room to have it at hand
    }
  } catch (error) {
    hold.end();
    throw error;
  }
}

function inOnePiece(pieces: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const [first] = pieces;
  const whole = pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
  pieces.length = 0; // else they would live as long as the request
  return whole as Uint8Array<ArrayBuffer>; // never shared: nobody here makes shared memory
}

/** One piece a pull, no read-ahead: the backend's pace is the client's pace. Each is let go of as it goes. */
function heldThenRest({ reader, pieces, hold }: Source): ReadableStream<Uint8Array> {
  const held = pieces.reverse();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const first = held.pop();
        if (first !== undefined) {
          hold.give(first.length);
          controller.enqueue(first);
          return;
        }
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel(reason) {
        held.length = 0;
        hold.end();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
