/** Runs a body through a ModelScanner in the pieces that a test chooses. */
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

/** The same bytes, cut before each of the positions given, which rise. */
export function cutAt(bytes: Uint8Array, ...positions: readonly number[]): Uint8Array[] {
  const edges = [0, ...positions, bytes.length];
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
}
