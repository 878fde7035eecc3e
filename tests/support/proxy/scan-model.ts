/** Runs a ModelScanner on a body, in the pieces that a test chooses. */
import type { BodyNotes } from "../../../src/proxy/body/body-notes.ts";
import { ModelScanner } from "../../../src/proxy/body/model-field.ts";
import type { Verdict } from "../../../src/proxy/body/verdict.ts";

export function scanModel(pieces: Iterable<Uint8Array>): Verdict {
  const scanner = new ModelScanner();
  for (const piece of pieces) {
    const verdict = scanner.push(piece);
    if (verdict !== undefined) return verdict;
  }
  return scanner.end();
}

/** The scanner's notes on a body. The prompt has its raw bytes. */
export type Noted = {
  readonly prompt: string | undefined;
  /** The scanner has not seen the end of the prompt. */
  readonly isPromptOpen: boolean;
  readonly previousResponseId: string | undefined;
  readonly hasConversation: boolean;
  readonly isBackground: boolean;
  readonly isComplete: boolean;
};

/** Scans to the model, and then to the end of the prompt or object. */
export function scanOn(pieces: readonly Uint8Array[], to: "prompt" | "object"): BodyNotes {
  const scanner = new ModelScanner();
  let isScanned = false;
  for (const piece of pieces) {
    const before = scanner.offset;
    isScanned ||= scanner.push(piece) !== undefined;
    const left = piece.subarray(scanner.offset - before);
    if (isScanned && scanner.readOn(left, to)) break;
  }
  return scanner.notes;
}

/** The same, in a form that a test can compare. */
export function scanNotes(pieces: readonly Uint8Array[], to: "prompt" | "object"): Noted {
  const { promptStart, promptEnd, previousResponseId, hasConversation, isBackground, isComplete } =
    scanOn(pieces, to);
  const prompt =
    promptStart === undefined
      ? undefined
      : Buffer.concat(pieces).subarray(promptStart, promptEnd).toString("latin1");
  const isPromptOpen = promptStart !== undefined && promptEnd === undefined;
  return { prompt, isPromptOpen, previousResponseId, hasConversation, isBackground, isComplete };
}

/** The same bytes, cut before each of these positions, which must rise. */
export function cutAt(bytes: Uint8Array, ...positions: readonly number[]): Uint8Array[] {
  const edges = [0, ...positions, bytes.length];
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
}
