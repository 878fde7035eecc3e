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
export type BodyReader = Pick<UploadReader, "read" | "bytes" | "answered" | "cancel">;

export class UploadReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #turns: Turns;
  #bytes = 0;
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
    const { done, value } = await this.#reader.read();
    this.#turns.keepOpen();
    if (done) return { done };
    this.#bytes += value.length;
    return { done, value };
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
