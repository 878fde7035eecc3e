/**
 * Reads the body of a request piece by piece, and tells whose turn it is. While a read is pending it is the
 * client's turn, and its silence may end the connection. Between two reads it is ours, or the server's.
 */

export type Turns = {
  /** It is the client's turn to send. If it stays silent, its connection is closed. */
  readonly expect: () => void;
  /** It is our turn: the connection stays open, however long the client is silent. */
  readonly keepOpen: () => void;
};

/** What reads a body, whichever way it comes. */
export type BodyReader = Pick<UploadReader, "read" | "bytes" | "answered" | "cancel"> &
  Partial<Pick<UploadReader, "more" | "free">>;

/** So many promises are between bytes that Bun has at hand and a read of them, at most. */
const TURNS_OF_A_READ = 6;

type Begun = ReturnType<ReadableStreamDefaultReader<Uint8Array>["read"]>;

export class UploadReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #turns: Turns;
  #bytes = 0;
  /** A read that `more()` has begun, and that has brought nothing yet. */
  #begun: Begun | undefined;
  #isAnswered = false;

  constructor(body: ReadableStream<Uint8Array>, turns: Turns) {
    this.#reader = body.getReader() as ReadableStreamDefaultReader<Uint8Array>; // Bun's own type of it
    this.#turns = turns;
  }

  /** How many bytes have come so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @throws the stream's error if the client goes away */
  async read(): Promise<{ done: false; value: Uint8Array } | { done: true; value?: undefined }> {
    if (!this.#isAnswered) this.#turns.expect();
    const { done, value } = await (this.#begun ?? this.#reader.read());
    this.#begun = undefined;
    this.#turns.keepOpen();
    if (done) return { done };
    this.#bytes += value.length;
    return { done, value };
  }

  /**
   * Gives the next piece if it has come, and waits for no client: it stays our turn.
   *
   * @returns undefined if nothing has come, or the body has ended: `read()` will tell
   */
  async more(): Promise<Uint8Array | undefined> {
    const read = this.#begin();
    for (let n = 0; n < TURNS_OF_A_READ && Bun.peek.status(read) === "pending"; n += 1) await null;
    const result = Bun.peek.status(read) === "fulfilled" ? Bun.peek(read) : undefined;
    if (result === undefined || result instanceof Promise || result.done) return undefined;
    this.#begun = undefined;
    this.#bytes += result.value.length;
    return result.value;
  }

  /** It may fail before anybody asks for what it has read. */
  #begin(): Begun {
    if (this.#begun !== undefined) return this.#begun;
    this.#begun = this.#reader.read();
    this.#begun.catch(() => undefined);
    return this.#begun;
  }

  /**
   * Gives back the memory of a piece that it has read and that nobody needs any more, without waiting for the
   * collector: the next piece gets the same memory, which is still in the processor's cache.
   */
  free(piece: Uint8Array): void {
    const { buffer } = piece;
    const isWhole = piece.length === buffer.byteLength; // else it is of another making
    if (isWhole && buffer instanceof ArrayBuffer) buffer.transfer(0);
  }

  /** Called when the answer has begun: from now on the client need not send the rest. */
  answered(): void {
    this.#isAnswered = true;
    this.#turns.keepOpen();
  }

  cancel(reason?: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }
}
