/**
 * Reads a request's body as far as its `model`, then hands over the whole body: first the bytes already read,
 * then the rest as it comes, at the pace of the reader. The scanners find the model in the bytes.
 */
import { Turn } from "../../ground/turn.ts";
import { formScanner, isForm, judge, NO_BOUNDARY, OTHER } from "./judge.ts";
import type { Keep, KeptBytes } from "./kept-bytes.ts";
import { readWhatHasCome } from "./look-ahead.ts";
import { ModelScanner } from "./model-field.ts";
import { BodyPieces } from "./pieces.ts";
import { type BodySource, type Findings, readOn, toldOf } from "./read-on.ts";
import { NOTHING_TOLD, type ReadResult, type ReadTo, type RequestBody } from "./read-result.ts";
import { sentOn } from "./sent-on.ts";
import { type BodyReader, type Turns, UploadReader } from "./upload-reader.ts";
import { BytesReader, wholeBody } from "./whole-body.ts";
import { readWhole } from "./whole-read.ts";

/** Tells whether the proxy reads the body whole if there is room: its length is known, and small. */
export function isReadWhole(request: Request): boolean {
  return lengthOf(request) <= WHOLE_BYTES_MAX;
}

/** The `Content-Length`; infinite if the request has none. */
export function lengthOf(request: Request): number {
  return Number(request.headers.get("content-length") ?? Number.POSITIVE_INFINITY);
}

/** The proxy reads a body up to this length whole: one piece costs less than a stream, and can be sent again. */
const WHOLE_BYTES_MAX = 1024 * 1024;

type Scanner = Pick<ModelScanner, "push" | "end">;

type Source = BodySource & {
  /** The whole body was handed over as bytes. */
  isAtHand: boolean;
  /** Scans on after the model. Undefined if the body is not JSON, and once `bodyOf` has used it. */
  scanner: ModelScanner | undefined;
  findings: Findings | undefined;
};

/**
 * @param turns gets the reports of whose turn it is: the client's (to send), or the proxy's
 * @param searchesForm whether to search a form for its model; if not, no byte of a form is read
 * @throws the stream's error if the client goes away
 */
export async function readModelField(
  request: Request,
  kept: KeptBytes,
  turns: Turns,
  searchesForm = true,
): Promise<ReadResult> {
  const bytes = await wholeBody(request);
  const contentType = request.headers.get("content-type") ?? "";
  if (bytes !== undefined && kept.take(bytes.length)) {
    return readWhole(bytes, kept, contentType, searchesForm);
  }
  // `request.body` creates a stream when it is first read, so read it last.
  const reader = bytes === undefined ? readerOf(request, turns) : new BytesReader(bytes);
  return reader === undefined ? NO_BODY : readPieces(request, reader, kept.open(), searchesForm);
}

/** @returns undefined if there is no body */
function readerOf({ body }: Request, turns: Turns): BodyReader | undefined {
  return body === null ? undefined : new UploadReader(body, turns);
}

async function readPieces(
  request: Request,
  reader: BodyReader,
  keep: Keep,
  searchesForm: boolean,
): Promise<ReadResult> {
  const contentType = request.headers.get("content-type") ?? "";
  const isOfForm = isForm(contentType);
  const source: Source = {
    reader,
    pieces: new BodyPieces(),
    keep,
    isFull: false,
    isAtHand: false,
    scanner: isOfForm ? undefined : new ModelScanner(),
    findings: undefined,
    next: undefined,
  };
  try {
    const scanner = source.scanner ?? formScanner(contentType);
    const verdict = isOfForm && !searchesForm ? OTHER : await scan(source, scanner, contentType);
    return {
      verdict,
      body: (to = "model") => bodyOf(request, source, to),
      readOn: () => readWhatHasCome(source),
      told: () => (source.findings === undefined ? NOTHING_TOLD : toldOf(source.findings)),
      answered: () => reader.answered(),
      sent: () => {
        if (source.isAtHand) keep.end(); // a stream counts each piece out when it is read
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

async function scan(
  source: Source,
  scanner: Scanner | undefined,
  contentType: string,
): Promise<ReadResult["verdict"]> {
  if (scanner === undefined) return NO_BOUNDARY;
  const turn = new Turn();
  for (;;) {
    if (turn.isOver) await turn.next(); // reads of bytes that have come already do not yield to other requests
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

async function bodyOf(request: Request, source: Source, to: ReadTo): Promise<RequestBody> {
  const { scanner } = source;
  source.scanner = undefined; // it may hold a long model, and `source` lives as long as the answer
  try {
    const bytes = await takeWhole(request, source);
    if (to !== "model") source.findings = await readOn(scanner, to, source, bytes);
    return bytes === undefined ? sentOn(source) : { kind: "bytes", bytes };
  } catch (error) {
    source.keep.end();
    throw error;
  }
}

/**
 * Reads a small body of known length whole. It then keeps its Content-Length; a chunked body stays chunked.
 *
 * @returns undefined if the body must be sent as a stream
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
