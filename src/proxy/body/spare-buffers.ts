/** A pool of buffers of one size. Allocating fresh memory costs more than copying into it. */
export class SpareBuffers {
  readonly #max: number;
  readonly #bytes: number;
  readonly #spare: Uint8Array[] = [];
  #taken = 0;

  /**
   * @param max the most buffers
   * @param bytes the size of each buffer
   */
  constructor(max: number, bytes: number) {
    this.#max = max;
    this.#bytes = bytes;
  }

  /** How many buffers are taken. */
  get taken(): number {
    return this.#taken;
  }

  get areAllTaken(): boolean {
    return this.#taken === this.#max;
  }

  /** @returns undefined if all are taken */
  take(): Uint8Array | undefined {
    if (this.areAllTaken) return undefined;
    this.#taken += 1;
    return this.#spare.pop() ?? new Uint8Array(this.#bytes);
  }

  /** Takes back a buffer. Keeps a few for later. */
  give(buffer: Uint8Array): void {
    this.#taken -= 1;
    if (this.#spare.length < SPARE_MAX) this.#spare.push(buffer);
  }
}

const SPARE_MAX = 4;
