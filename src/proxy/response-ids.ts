/**
 * Remembers which run made which response: GET, cancel and DELETE of /v1/responses/{id} name no model, and only the
 * server that made a response has it. Reads the ids from passing answers.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import type { Backend } from "../routing/backend.ts";
import { isSameRun, type Run } from "../routing/run.ts";
import { IdSearch } from "./id-search.ts";

const KEPT_MAX = 10_000;
/** The id is at the beginning of an answer, or in its first event. */
const LOOKED_AT_BYTES = 16 * 1024;

export class ResponseIds {
  readonly #runs = new BoundedMap<string, Run>(KEPT_MAX);
  readonly #isThere: (run: Run) => boolean;

  /** @param isThere says whether a run still exists */
  constructor(isThere: (run: Run) => boolean) {
    this.#isThere = isThere;
  }

  find(id: string): Run | undefined {
    return this.#runs.get(id);
  }

  /** @returns a function that must be called with each piece of a passing answer */
  reader(backend: Backend): (piece: Uint8Array) => void {
    const search = new IdSearch();
    let left = LOOKED_AT_BYTES;
    return (piece) => {
      if (left <= 0) return;
      const id = search.push(piece.subarray(0, left));
      left = id === undefined ? left - piece.length : 0;
      if (id !== undefined) this.#keep(id, backend);
    };
  }

  /** The first run that named an id keeps it until the run ends, because any server could name another server's id. */
  #keep(id: string, { run }: Backend): void {
    const known = this.#runs.get(id);
    if (known !== undefined && !isSameRun(known, run) && this.#isThere(known)) return;
    this.#runs.set(id, run);
  }
}
