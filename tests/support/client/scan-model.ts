/** Runs a body through a ModelScanner, cut into pieces as a test likes. */
import { ModelScanner, type Verdict } from "../../../src/proxy/body/model-field.ts";

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
