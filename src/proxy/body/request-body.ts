/**
 * Reads a request's body as far as its `model`, and gives the whole body on: first what was read, then the
 * rest as it comes, at the pace of whoever takes it. Finding the model in the bytes is the scanners' work.
 */
import { Turn } from "../../ground/turn.ts";
import type { Upload } from "../exchange.ts";
import { A_JSON_OBJECT } from "./json-states.ts";
import type { KeptBytes } from "./kept-bytes.ts";
import { nextOf, readWhatHasCome } from "./look-ahead.ts";
import { ModelScanner } from "./model-field.ts";
import { boundaryOf, MultipartScanner } from "./multipart-field.ts";
import { BodyPieces } from "./pieces.ts";
import { type BodySource, type Findings, readOn, toldOf } from "./read-on.ts";
import { type BodyReader, type Turns, UploadReader } from "./upload-reader.ts";
import type { Verdict } from "./verdict.ts";
import { wholeBody } from "./whole-body.ts";

/** What is to be sent on. */
export type RequestBody =
  | { readonly kind: "none" }
  /** All of it is at hand: it can be sent again. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Comes as it is read: it can be sent once. */
  | { readonly kind: "stream"; readonly stream: ReadableStream<Uint8Array> };

/**
 * How far a body is read on once its model is known.
 * - `model`: no further.
 * - `prompt`: to the end of its prompt, in the bytes that are at hand anyway.
 * - `object`: to the end of its top-level object, as far as it may be kept.
 */
export type ReadTo = "model" | "prompt" | "object";

/** What a body says beside its model, as far as it was read. */
export type Told = {
  /** The value of `messages`, `input` or `prompt`, its bytes as they came: the first of them, 1 MiB at most. */
  readonly prompt?: Uint8Array | undefined;
  /** The response that the request goes on from. */
  readonly previousResponseId?: string | undefined;
  /** It names a conversation that a server keeps. */
  readonly hasConversation: boolean;
  /** The server is to answer at once, and to work on it afterwards; also if that is not known. */
  readonly mayBeBackground: boolean;
};

export type ReadResult = Upload & {
  readonly verdict:
    | Verdict
    /** The body is neither JSON nor multipart, and does not claim to be; or it is a form that is not searched. */
    | { readonly kind: "other" }
    /** Too many bytes came before the model: `too much` of this request, `overloaded` of all together. */
    | { readonly kind: "too much" | "overloaded" };
  /** Gives on all of the body, what was read included. Call this once, or `discard`. */
  readonly body: (to?: ReadTo) => Promise<RequestBody>;
  /**
   * Reads on in a body that is to be sent on as a stream, as far as it has come, and keeps that. So it shows whether the
   * client is still there. Waits for no client.
   *
   * @throws the stream's error if the client has gone
   */
  readonly readOn: () => Promise<void>;
  /**
   * To be called when `body()` has resolved: says what was found as far as that has read on, and nothing if it
   * has read no further than the model. The prompt is told as long as the body has not been sent on; of bytes
   * it is a view, of a stream a copy.
   */
  readonly told: () => Told;
};

/** Says whether a body is read whole if there is room for it: its length is known, and small. */
export function isReadWhole(request: Request): boolean {
  return lengthOf(request) <= WHOLE_BYTES_MAX;
}

/** By its `Content-Length`; infinite if it has none. */
export function lengthOf(request: Request): number {
  return Number(request.headers.get("content-length") ?? Number.POSITIVE_INFINITY);
}

/** A body up to this length is read whole: one piece costs less than a stream, and can be sent again. */
const WHOLE_BYTES_MAX = 1024 * 1024;

type Scanner = Pick<ModelScanner, "push" | "end">;

type Source = BodySource & {
  /** All of the body has been given on as bytes. */
  isAtHand: boolean;
  /** Reads on behind the model. Undefined for what is no JSON, and when it has. */
  scanner: ModelScanner | undefined;
  findings: Findings | undefined;
};

/**
 * @param turns is told whose turn it is, the client's to send or ours
 * @param searchesForm whether a form is searched for its model; if not, nothing of it is read
 * @throws the stream's error if the client goes away
 */
export async function readModelField(
  request: Request,
  kept: KeptBytes,
  turns: Turns,
  searchesForm = true,
): Promise<ReadResult> {
  const reader = await readerOf(request, turns);
  if (reader === undefined) return NO_BODY;
  const keep = kept.open();
  const contentType = request.headers.get("content-type") ?? "";
  const isForm = FORM.test(contentType);
  const source: Source = {
    reader,
    pieces: new BodyPieces(),
    keep,
    isFull: false,
    isAtHand: false,
    scanner: isForm ? undefined : new ModelScanner(),
    findings: undefined,
    next: undefined,
  };
  try {
    const scanner = source.scanner ?? formScanner(contentType);
    const verdict = isForm && !searchesForm ? OTHER : await scan(source, scanner, contentType);
    return {
      verdict,
      body: (to = "model") => bodyOf(request, source, to),
      readOn: () => readWhatHasCome(source),
      told: () => (source.findings === undefined ? NOTHING_TOLD : toldOf(source.findings)),
      answered: () => reader.answered(),
      sent: () => {
        if (source.isAtHand) keep.end(); // a stream lets go of each piece as it is read
      },
      release: keep.end,
      discard: () => {
        keep.end();
        reader.cancel().catch(() => undefined);
      },
    };
  } catch (error) {
    keep.end();
    throw error;
  }
}

/** Asks for the stream last, since asking makes one. @returns undefined if there is no body */
async function readerOf(request: Request, turns: Turns): Promise<BodyReader | undefined> {
  const whole = await wholeBody(request);
  if (whole !== undefined) return whole;
  return request.body === null ? undefined : new UploadReader(request.body, turns);
}

const NOTHING_TOLD: Told = { hasConversation: false, mayBeBackground: false };

const NO_BODY: ReadResult = {
  verdict: { kind: "missing", reason: "no body" },
  body: async () => ({ kind: "none" }),
  readOn: () => Promise.resolve(),
  told: () => NOTHING_TOLD,
  answered: () => undefined,
  sent: () => undefined,
  release: () => undefined,
  discard: () => undefined,
};

const FORM = /^\s*multipart\/form-data\b/i;

const OTHER = { kind: "other" } as const;

async function scan(
  source: Source,
  scanner: Scanner | undefined,
  contentType: string,
): Promise<ReadResult["verdict"]> {
  if (scanner === undefined) {
    return { kind: "invalid", offset: 0, expected: 'a "boundary" in the Content-Type' };
  }
  const turn = new Turn();
  for (;;) {
    if (turn.isOver) await turn.next(); // a read of what has come already would let nobody else have a turn
    const { done, value } = await source.reader.read();
    if (done) return judge(scanner.end(), contentType);
    const verdict = scanner.push(value);
    const taken = source.keep.take(value.length, source.pieces.push(value));
    source.isFull = taken !== "taken";
    if (verdict !== undefined) return judge(verdict, contentType);
    if (taken !== "taken") return NOT_TAKEN[taken];
  }
}

const NOT_TAKEN = {
  "request limit": { kind: "too much" },
  "total limit": { kind: "overloaded" },
} as const;

function judge(verdict: Verdict, contentType: string): ReadResult["verdict"] {
  return isOther(verdict, contentType) ? OTHER : verdict;
}

/** @returns undefined if the header names no boundary */
function formScanner(contentType: string): Scanner | undefined {
  const boundary = boundaryOf(contentType);
  return boundary === undefined ? undefined : new MultipartScanner(boundary);
}

/**
 * Says whether a body that is no JSON object does not claim to be one either. For JSON the Content-Type does
 * not matter (curl says that it is a form); only the type of something else counts.
 */
function isOther(verdict: Verdict, contentType: string): boolean {
  const notAnObject = verdict.kind === "invalid" && verdict.expected === A_JSON_OBJECT;
  return notAnObject && contentType !== "" && !/json|x-www-form-urlencoded/i.test(contentType);
}

async function bodyOf(request: Request, source: Source, to: ReadTo): Promise<RequestBody> {
  const { scanner } = source;
  source.scanner = undefined; // it may hold a long model for as long as the answer takes
  try {
    const bytes = await takeWhole(request, source);
    if (to !== "model") source.findings = await readOn(scanner, to, source, bytes);
    return bytes === undefined ? keptThenRest(source) : { kind: "bytes", bytes };
  } catch (error) {
    source.keep.end();
    throw error;
  }
}

/**
 * Reads a small body of known length whole. So a Content-Length stays one, and a chunked body stays chunked.
 *
 * @returns undefined if it is to be sent on as a stream
 */
async function takeWhole(
  request: Request,
  source: Source,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const length = lengthOf(request);
  const { reader, pieces, keep } = source;
  if (source.isFull || !(length <= WHOLE_BYTES_MAX)) return undefined;
  while (reader.bytes < length) {
    const { done, value } = await reader.read();
    if (done) break;
    source.isFull = keep.take(value.length, pieces.push(value)) !== "taken";
    if (source.isFull) return undefined;
  }
  source.isAtHand = true;
  return pieces.takeAll();
}

/** Gives one piece for each pull and reads nothing ahead: the backend sets the pace. Keeps no piece that it has given. */
function keptThenRest(source: Source): RequestBody {
  const { reader, pieces, keep } = source;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const first = pieces.shift();
        if (first !== undefined) {
          keep.give(first.memory);
          controller.enqueue(first.piece);
          return;
        }
        const { done, value } = await nextOf(source);
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel(reason) {
        pieces.clear();
        keep.end();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return { kind: "stream", stream };
}
