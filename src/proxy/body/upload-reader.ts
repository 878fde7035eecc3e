/**
 * Reads the body of a request piece by piece, and reports whose turn it is. While a read is pending, it is the
 * client's turn, and a silent client may lose its connection. Between two reads it is the proxy's or the server's.
 */

export type Turns = {
  /** It is the client's turn to send. If it stays silent, the proxy closes the connection. */
  readonly expect: () => void;
  /** It is the proxy's turn: the connection stays open even if the client sends nothing. */
  readonly keepOpen: () => void;
};

/** Reads a body, from a stream or from bytes in memory. */
export type BodyReader = Pick<UploadReader, "read" | "bytes" | "answered" | "cancel"> &
  Partial<Pick<UploadReader, "more" | "free">>;

/** The most promises between bytes that Bun already has and the result of a read. */
const TURNS_OF_A_READ = 6;

type Begun = ReturnType<ReadableStreamDefaultReader<Uint8Array>["read"]>;

export class UploadReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #turns: Turns;
  #bytes = 0;
  /** A read that `more()` began and that is still pending. */
  #begun: Begun | undefined;
  #isAnswered = false;

  constructor(body: ReadableStream<Uint8Array>, turns: Turns) {
    this.#reader = body.getReader() as ReadableStreamDefaultReader<Uint8Array>; // narrows Bun's own type
    this.#turns = turns;
  }

  /** Bytes received so far. */
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
   * Returns the next piece if it has come already. Never waits for the client: it stays the proxy's turn.
   *
   * @returns undefined if no piece has come, or the body has ended; the next `read()` tells which
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

  /** The empty `catch` is needed: the read may fail before any caller awaits it. */
  #begin(): Begun {
    if (this.#begun !== undefined) return this.#begun;
    this.#begun = this.#reader.read();
    this.#begun.catch(() => undefined);
    return this.#begun;
  }

  /**
   * Frees the memory of a piece that is no longer needed, without waiting for the garbage collector. The next
   * piece gets the same memory, which is still in the processor's cache.
   */
  free(piece: Uint8Array): void {
    const { buffer } = piece;
    const isWhole = piece.length === buffer.byteLength; // not a view of a larger buffer
    if (isWhole && buffer instanceof ArrayBuffer) buffer.transfer(0);
  }

  /** Called when the answer has begun. From now on the client does not have to send the rest. */
  answered(): void {
    this.#isAnswered = true;
    this.#turns.keepOpen();
  }

  cancel(reason?: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }
}
