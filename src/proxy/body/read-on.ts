/**
 * Scans a body past its model for other facts, and cuts the prompt out of the kept bytes. An error in the body
 * only stops the search: the backend will report it.
 */
import { Turn } from "../../ground/turn.ts";
import { PROMPT_BYTES_MAX } from "../../routing/choose.ts";
import { BodyNotes } from "./body-notes.ts";
import type { Keep } from "./kept-bytes.ts";
import type { ModelScanner } from "./model-field.ts";
import { BodyPieces } from "./pieces.ts";
import type { ReadTo, Told } from "./read-result.ts";
import type { BodyReader } from "./upload-reader.ts";

/** The part of a body that was read so far, and the reader of the rest. */
export type BodySource = {
  readonly reader: BodyReader;
  readonly pieces: BodyPieces;
  readonly keep: Keep;
  /** There was no room to keep a piece, so the proxy sends the body as a stream. */
  isFull: boolean;
  /** A read that has begun and whose piece was not handed over yet. */
  next: ReturnType<BodyReader["read"]> | undefined;
};

type To = Exclude<ReadTo, "model">;

/** The facts found in a body. Holds no bytes, because it lives as long as the answer. */
export type Findings = {
  readonly to: To;
  readonly notes: BodyNotes;
  /** Holds the bytes of the prompt: the body that was handed over, or the kept pieces. */
  readonly keptIn: WeakRef<Uint8Array> | BodyPieces;
};

/**
 * Scans the bytes that have come. To find the end of the object it also reads on from the client, as far as there
 * is room to keep the bytes.
 *
 * @param scanner has scanned as far as the model; undefined if the body is not JSON
 * @param whole the whole body, if it is sent as bytes
 * @throws the stream's error if the client goes away
 */
export async function readOn(
  scanner: ModelScanner | undefined,
  to: To,
  source: BodySource,
  whole: Uint8Array | undefined,
): Promise<Findings> {
  if (whole !== undefined) return findIn(whole, scanner, to);
  const { pieces } = source;
  const findings = { to, notes: scanner?.notes ?? new BodyNotes(), keptIn: pieces };
  if (scanner === undefined) return findings;
  const turn = new Turn();
  const isRead = await lookThrough(scanner, pieces.from(scanner.offset), to, turn);
  if (!isRead && to === "object") await readObject(scanner, source, turn);
  return findings;
}

/**
 * Scans a whole body.
 *
 * @param scanner has scanned as far as the model; undefined if the body is not JSON
 */
export async function findIn(
  whole: Uint8Array,
  scanner: ModelScanner | undefined,
  to: To,
): Promise<Findings> {
  if (scanner !== undefined) {
    await lookThrough(scanner, [whole.subarray(scanner.offset)], to, new Turn());
  }
  return { to, notes: scanner?.notes ?? new BodyNotes(), keptIn: new WeakRef(whole) };
}

/** Bytes to scan between two looks at the clock. */
const SLICE_BYTES = 64 * 1024;

/** @returns true if the search is over */
async function lookThrough(
  scanner: ModelScanner,
  views: Iterable<Uint8Array>,
  to: To,
  turn: Turn,
): Promise<boolean> {
  for (const view of views) {
    for (let at = 0; at < view.length; at += SLICE_BYTES) {
      if (turn.isOver) await turn.next();
      if (scanner.readOn(view.subarray(at, at + SLICE_BYTES), to)) return true;
    }
  }
  return false;
}

async function readObject(scanner: ModelScanner, source: BodySource, turn: Turn): Promise<void> {
  const { reader, pieces, keep } = source;
  for (let isRead = false; !isRead && !source.isFull; ) {
    const { done, value } = await reader.read();
    if (done) return;
    source.isFull = keep.take(value.length, pieces.push(value)) !== "taken";
    isRead = await lookThrough(scanner, [value], "object", turn);
  }
}

export function toldOf({ to, notes, keptIn }: Findings): Told {
  const { previousResponseId, hasConversation, isBackground, isComplete } = notes;
  return {
    prompt: promptIn(keptIn instanceof BodyPieces ? keptIn : keptIn.deref(), notes),
    previousResponseId,
    hasConversation,
    mayBeBackground: to === "object" && (isBackground || !isComplete),
  };
}

/**
 * @param kept undefined if the body was freed
 * @returns the start of the prompt, as far as it has come: a view of bytes, or a copy of pieces
 */
function promptIn(
  kept: Uint8Array | BodyPieces | undefined,
  { promptStart: start, promptEnd = Number.POSITIVE_INFINITY }: BodyNotes,
): Uint8Array | undefined {
  if (kept === undefined || start === undefined) return undefined;
  const length = Math.min(promptEnd - start, PROMPT_BYTES_MAX);
  if (!(kept instanceof BodyPieces)) return kept.subarray(start, start + length);
  const views: Uint8Array[] = [];
  let found = 0;
  for (const view of kept.from(start)) {
    views.push(view);
    found += view.length;
    if (found >= length) break;
  }
  return found === 0 ? undefined : Buffer.concat(views, Math.min(found, length));
}
