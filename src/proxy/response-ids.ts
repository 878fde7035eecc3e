/**
 * Which backend made which response: GET, cancel and DELETE of /v1/responses/{id} name no model, and
 * only who made a response has it. Ids are read from answers as they pass.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import type { Backend } from "../routing/backend.ts";
import { isSameRun, type Run } from "../routing/run.ts";
import { IdSearch } from "./id-search.ts";

const KEPT_MAX = 10_000;
/** The id stands at the start of an answer, or in its first event. */
const LOOKED_AT_BYTES = 16 * 1024;

export class ResponseIds {
  readonly #runs = new BoundedMap<string, Run>(KEPT_MAX);
  readonly #isThere: (run: Run) => boolean;

  /** @param isThere whether a run is not over */
  constructor(isThere: (run: Run) => boolean) {
    this.#isThere = isThere;
  }

  find(id: string): Run | undefined {
    return this.#runs.get(id);
  }

  /** @returns what is to be shown each piece of an answer, as it passes */
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

  /** Whoever named an id first keeps it for as long as its run lasts: any server can name another's. */
  #keep(id: string, { run }: Backend): void {
    const known = this.#runs.get(id);
    if (known !== undefined && !isSameRun(known, run) && this.#isThere(known)) return;
    this.#runs.set(id, run);
  }
}
