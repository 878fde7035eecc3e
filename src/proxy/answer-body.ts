/** Ties what a request holds (its lease, its timers) to the end of the answer's body. */

export type BodyWatch = {
  /** Before each read from the upstream, and after it. */
  readonly waitFor: (what: "read" | "client") => void;
  /** Shown each piece before it goes on; must be quick, and must not change it. */
  readonly passing?: ((piece: Uint8Array) => void) | undefined;
  /** Once, whichever way the body ends. */
  readonly ended: (end: BodyEnd) => void;
};

type BodyEnd = {
  readonly bytes: number;
  /** Set if the upstream broke off. */
  readonly error?: unknown;
  /** Set if that was not the upstream but our own code: a bug. */
  readonly isBug?: boolean;
  /** Set if the client left before the end. */
  readonly cancelled?: true;
};

/**
 * The same bytes, at the client's pace: no read-ahead, and what has come since the last read goes on
 * at once. An upstream that breaks off makes this stream fail, never end: Bun then resets the client.
 */
export function watchBody(
  body: ReadableStream<Uint8Array>,
  watch: BodyWatch,
): ReadableStream<Uint8Array> {
  const passage = new Passage(body, watch);
  return new ReadableStream<Uint8Array>({
    type: "direct", // a third cheaper than one with a queue of its own (tests/bench/README.md)
    pull: (controller) => passage.run(controller),
    cancel: (reason) => passage.cancel(reason),
  });
}

class Passage {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #watch: BodyWatch;
  #bytes = 0;
  #open = true;
  #hasBroken = false;

  constructor(body: ReadableStream<Uint8Array>, watch: BodyWatch) {
    this.#reader = body.getReader() as ReadableStreamDefaultReader<Uint8Array>; // Bun's, with readMany()
    this.#watch = watch;
  }

  /** To the end of the body, whichever it is. */
  async run(controller: ReadableStreamDirectController): Promise<void> {
    try {
      await this.#passOn(controller);
      if (!this.#open) return; // cancelled
      this.#end();
      controller.close();
    } catch (error) {
      if (!this.#open) return;
      this.#end({ error, isBug: !this.#hasBroken });
      await Bun.sleep(0); // see breakOff()
      controller.close(error as Error);
    }
  }

  /**
   * No await where there is nothing to wait for: each lets Bun send what it has, so that a fast
   * answer would go out in twice as many writes, for almost twice the CPU time.
   */
  async #passOn(controller: ReadableStreamDirectController): Promise<void> {
    while (this.#open) {
      this.#watch.waitFor("read");
      const many = this.#read();
      const { done, value: pieces } = many instanceof Promise ? await many : many;
      if (!this.#open) return; // cancelled while the read was pending
      this.#watch.waitFor("client");
      this.#write(pieces, controller);
      if (done) return;
      // `true`: until the client has taken it all. Without, it would be piled up in memory.
      const taken = controller.flush(true);
      if (taken instanceof Promise) await taken;
    }
  }

  /** Whatever it throws is the upstream's doing. */
  #read(): ReturnType<ReadableStreamDefaultReader<Uint8Array>["readMany"]> {
    const broken = (error: unknown): never => {
      this.#hasBroken = true;
      throw error;
    };
    try {
      const many = this.#reader.readMany();
      return many instanceof Promise ? many.catch(broken) : many;
    } catch (error) {
      return broken(error);
    }
  }

  async cancel(reason: unknown): Promise<void> {
    this.#end({ cancelled: true });
    await this.#reader.cancel(reason);
  }

  #write(pieces: readonly Uint8Array[], controller: ReadableStreamDirectController): void {
    for (const piece of pieces) {
      this.#bytes += piece.length;
      this.#watch.passing?.(piece);
      controller.write(piece);
    }
  }

  #end(how?: Omit<BodyEnd, "bytes">): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch.ended({ bytes: this.#bytes, ...how });
  }
}

/**
 * Fails the stream, so that the client's connection is aborted. Not in the same turn: a body that
 * fails as soon as Bun.serve asks for it has its error printed on stderr (measured, 1.4.5).
 */
export async function breakOff(
  controller: ReadableStreamDefaultController<Uint8Array>,
  error: unknown,
): Promise<void> {
  await Bun.sleep(0);
  controller.error(error);
}

/** A stream of bytes that are all at hand. */
export function onePiece(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
}
