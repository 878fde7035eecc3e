/**
 * Reads a body on behind its model, for what else it says, and takes the prompt out of what is kept of it.
 * Nothing that is wrong there matters: it ends the looking, and the backend will say what is wrong.
 */
import { Turn } from "../../ground/turn.ts";
import { PROMPT_BYTES_MAX } from "../../routing/choose.ts";
import { BodyNotes } from "./body-notes.ts";
import type { Keep } from "./kept-bytes.ts";
import type { ModelScanner } from "./model-field.ts";
import { BodyPieces } from "./pieces.ts";
import type { ReadTo, Told } from "./read-result.ts";
import type { BodyReader } from "./upload-reader.ts";

/** What has been read of a body so far, and where the rest comes from. */
export type BodySource = {
  readonly reader: BodyReader;
  readonly pieces: BodyPieces;
  readonly keep: Keep;
  /** There was no room to keep a piece. So the body is sent on as a stream. */
  isFull: boolean;
  /** A read that was asked for and not given on yet. */
  next: ReturnType<BodyReader["read"]> | undefined;
};

type To = Exclude<ReadTo, "model">;

/** What is known of a body that was read on. Keeps none of it, since it lives as long as the answer. */
export type Findings = {
  readonly to: To;
  readonly notes: BodyNotes;
  /** Where the bytes of the prompt are: in the body as it was given on, or in what is kept of it. */
  readonly keptIn: WeakRef<Uint8Array> | BodyPieces;
};

/**
 * Looks through what is at hand. To find the end of the object it also reads what else the client sends, as far
 * as there is room to keep it.
 *
 * @param scanner has read as far as the model; undefined for what is no JSON
 * @param whole all of the body, if it is sent on as bytes
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
 * Looks through all of a body.
 *
 * @param scanner has read as far as the model; undefined for what is no JSON
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

/** So much is looked at between two looks at the clock. */
const SLICE_BYTES = 64 * 1024;

/** @returns true if there is no more to look for */
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
 * @param kept undefined if the body is gone
 * @returns the beginning of the prompt, as far as it is there: of bytes a view, of pieces a copy
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
