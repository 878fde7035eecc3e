/**
 * Reads a chunked answer of any length as it arrives, head first. Passes on the bytes of the body, and keeps
 * none.
 */
export class ChunkReader {
  readonly #onBytes: (bytes: Buffer) => void;
  /** The part of the head, or of a chunk's size line, that has arrived so far. */
  #line = "";
  #state: "head" | "size" | "data" | "end of data" | "end" = "head";
  #left = 0;
  bytes = 0;

  constructor(onBytes: (bytes: Buffer) => void) {
    this.#onBytes = onBytes;
  }

  /** Whether the last chunk has arrived. */
  get complete(): boolean {
    return this.#state === "end";
  }

  take(piece: Buffer): void {
    let rest = piece;
    while (rest.length > 0 && this.#state !== "end") {
      rest = this.#state === "data" ? this.#takeData(rest) : this.#takeLine(rest);
    }
  }

  #takeData(piece: Buffer): Buffer {
    const data = piece.subarray(0, this.#left);
    this.#onBytes(data);
    this.bytes += data.length;
    this.#left -= data.length;
    if (this.#left === 0) this.#state = "end of data";
    return piece.subarray(data.length);
  }

  #takeLine(piece: Buffer): Buffer {
    const end = piece.indexOf("\n");
    this.#line += piece.toString("latin1", 0, end === -1 ? piece.length : end + 1);
    if (end !== -1) this.#onLine();
    return end === -1 ? Buffer.alloc(0) : piece.subarray(end + 1);
  }

  #onLine(): void {
    const line = this.#line.trim();
    this.#line = "";
    if (this.#state === "head") {
      if (line === "") this.#state = "size";
    } else if (this.#state === "end of data") {
      this.#state = "size";
    } else {
      this.#left = Number.parseInt(line, 16);
      this.#state = this.#left === 0 ? "end" : "data";
    }
  }
}
