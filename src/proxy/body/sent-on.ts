/**
 * Sends a body to the server as a stream: first the kept bytes, then the rest as it comes, at the server's pace.
 * Fetch takes one piece at a time and wakes its thread for each. So this joins pieces that have come into larger ones.
 */

import { nextOf } from "./look-ahead.ts";
import type { BodySource } from "./read-on.ts";
import type { RequestBody } from "./read-result.ts";
import { SpareBuffers } from "./spare-buffers.ts";

/** The most bytes to join into one piece: more is not faster (tests/bench/README.md). */
const JOINED_BYTES = 512 * 1024;
/** If a piece is smaller than this, no more bytes have come yet. */
const MORE_MAY_HAVE_COME_BYTES = 32 * 1024;
/** For all requests together: 16 MiB. A request that gets no buffer sends its pieces unjoined. */
const SPARE = new SpareBuffers(32, JOINED_BYTES);

/** Gives one piece for each pull, and reads no further ahead than that piece. Keeps no piece that it has given. */
export function sentOn(source: BodySource, spare = SPARE): RequestBody {
  const sending = new Sending(source, spare);
  const stream = new ReadableStream<Uint8Array>(
    { pull: (controller) => sending.pull(controller), cancel: (reason) => sending.cancel(reason) },
    { highWaterMark: 0 },
  );
  return { kind: "stream", stream };
}

class Sending {
  readonly #source: BodySource;
  readonly #spare: SpareBuffers;
  /** The pieces given last. Fetch has copied them by the time it pulls again. */
  #given: Uint8Array[] = [];
  /** Holds the piece given last, if it was joined. */
  #buffer: Uint8Array | undefined;
  /** A piece that has come but did not fit into the buffer. */
  #left: Uint8Array | undefined;
  #isOver = false;

  constructor(source: BodySource, spare: SpareBuffers) {
    this.#source = source;
    this.#spare = spare;
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.#letGo();
    const { pieces, keep } = this.#source;
    const first = pieces.shift();
    if (first !== undefined) {
      keep.give(first.memory);
      this.#give(first.piece, controller);
      return;
    }
    const next = await this.#next();
    const parts = next === undefined ? undefined : await this.#withMore(next);
    if (this.#isOver) return; // cancelled meanwhile
    if (parts === undefined) controller.close();
    else for (const part of this.#join(parts)) this.#give(part, controller);
  }

  async cancel(reason: unknown): Promise<void> {
    const { reader, pieces, keep } = this.#source;
    this.#isOver = true;
    this.#letGo();
    pieces.clear();
    keep.end();
    await reader.cancel(reason);
  }

  #give(piece: Uint8Array, controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#given.push(piece);
    controller.enqueue(piece);
  }

  /** @returns undefined at the end of the body */
  async #next(): Promise<Uint8Array | undefined> {
    const left = this.#left;
    this.#left = undefined;
    if (left !== undefined) return left;
    return (await nextOf(this.#source)).value;
  }

  /** @returns the piece and those that have come after it, as far as there is room; never waits for the client */
  async #withMore(first: Uint8Array): Promise<readonly Uint8Array[]> {
    const { reader } = this.#source;
    const parts = [first];
    if (first.length < MORE_MAY_HAVE_COME_BYTES || reader.more === undefined) return parts;
    if (this.#spare.areAllTaken) return parts; // do not read ahead without a buffer: no limit counts these bytes
    for (let length = first.length; ; ) {
      const piece = await reader.more();
      if (piece === undefined) return parts;
      length += piece.length;
      if (length > JOINED_BYTES) {
        this.#left = piece;
        return parts;
      }
      parts.push(piece);
    }
  }

  #join(parts: readonly Uint8Array[]): readonly Uint8Array[] {
    if (parts.length === 1) return parts;
    const buffer = this.#spare.take();
    if (buffer === undefined) return parts;
    this.#buffer = buffer;
    let length = 0;
    for (const part of parts) {
      buffer.set(part, length);
      length += part.length;
      this.#source.reader.free?.(part);
    }
    return [buffer.subarray(0, length)];
  }

  #letGo(): void {
    const given = this.#given;
    this.#given = [];
    if (this.#buffer === undefined) {
      for (const piece of given) this.#source.reader.free?.(piece);
      return;
    }
    this.#spare.give(this.#buffer);
    this.#buffer = undefined;
  }
}
