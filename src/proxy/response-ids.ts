/**
 * Which backend made which response: GET, cancel and DELETE of /v1/responses/{id} name no model, and
 * only who made a response has it. Ids are read from answers as they pass.
 */
import type { Backend } from "../routing/backend.ts";

/** A run of a container: a backend of it may come and go with its health. */
export type RunKey = { readonly containerId: string; readonly startedAtMs: number };

const KEPT_MAX = 10_000;
/** The id stands at the start of an answer, or in its first event. */
const LOOKED_AT_BYTES = 16 * 1024;
const ID = /"id"\s*:\s*"([^"\\]{1,256})"/;

export class ResponseIds {
  readonly #runs = new Map<string, RunKey>();

  find(id: string): RunKey | undefined {
    return this.#runs.get(id);
  }

  /** @returns what is to be shown each piece of an answer, as it passes */
  reader(backend: Backend): (piece: Uint8Array) => void {
    let text = "";
    let looking = true;
    return (piece) => {
      if (!looking) return;
      text += Buffer.from(piece.subarray(0, LOOKED_AT_BYTES)).toString("latin1");
      const id = ID.exec(text)?.[1];
      if (id !== undefined) this.#keep(id, backend);
      looking = id === undefined && text.length < LOOKED_AT_BYTES;
      if (!looking) text = "";
    };
  }

  #keep(id: string, { containerId, rank }: Backend): void {
    this.#runs.delete(id);
    this.#runs.set(id, { containerId, startedAtMs: rank.startedAtMs });
    for (const oldest of this.#runs.keys()) {
      if (this.#runs.size <= KEPT_MAX) break;
      this.#runs.delete(oldest);
    }
  }
}
