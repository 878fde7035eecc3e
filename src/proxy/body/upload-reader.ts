/**
 * Reads the body of a request piece by piece, and tells whose turn it is meanwhile: while a read is pending it is the
 * client's, whose silence may then end the connection; between two reads it is ours, or the server's.
 */

export type Turns = {
  /** It is for the client to send: if it stays silent, its connection is closed. */
  readonly expect: () => void;
  /** The client waits for us, for however long. */
  readonly keepOpen: () => void;
};

/** What a body is read by. */
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

  /** How many have come. */
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

  /** The answer has begun: it is delivered, whatever the client still sends or does not send. */
  answered(): void {
    this.#isAnswered = true;
    this.#turns.keepOpen();
  }

  cancel(reason?: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }
}
