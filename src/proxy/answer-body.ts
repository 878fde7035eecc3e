/**
 * Passes the body of a backend's answer on to the client, at the client's pace, and reports how it ends. Owns
 * nothing that must be released: the watcher does that.
 */
import { TAIL_BYTES_MAX } from "../telemetry/tail.ts";
import { HEAD_BYTES_MAX } from "../telemetry/usage.ts";

export type BodyWatch = {
  /** Called when the body begins to wait for the upstream ("read") or for the client. */
  readonly waitFor: (what: "read" | "client") => void;
  /** Called with each piece before it is passed on. Must be quick, and must not change the piece. */
  readonly passing?: ((piece: Uint8Array) => void) | undefined;
  /** Called before the first piece is passed on. Not called for a body that is read whole. */
  readonly began?: (() => void) | undefined;
  /** True if `ended` needs the first piece and the last ones. */
  readonly keepsPieces?: boolean;
  /** Called exactly once, in every case. */
  readonly ended: (end: BodyEnd) => void;
};

export type BodyEnd = {
  readonly bytes: number;
  /** The number of pieces that were passed on one by one. 0 or undefined if the body was read whole. */
  readonly pieces?: number;
  /** Only with `keepsPieces`: the whole body, or the pieces of the last reads (at least 16 KiB, if there are as many). */
  readonly lastPieces?: readonly Uint8Array[];
  /** Its first 4 KiB at most. */
  readonly firstPiece?: Uint8Array | undefined;
  /** Set if the upstream broke off. */
  readonly error?: unknown;
  /** Set if our own code failed, not the upstream: a bug. */
  readonly isBug?: boolean;
  /** Set if the client left before the end. */
  readonly cancelled?: true;
};

/**
 * Returns a stream of the same bytes, at the client's pace. It does not read ahead. It passes on at once all bytes
 * that arrived since the last read. If the upstream breaks off, the stream fails and does not close: Bun then
 * resets the client's connection.
 */
export function watchBody(opened: Opened, watch: BodyWatch): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(new Passage(opened, watch));
}

/** A body that is being read. */
export type Opened = {
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  /** The piece that was read already. */
  readonly first?: Uint8Array | undefined;
};

export function open(body: ReadableStream<Uint8Array>): Opened {
  return { reader: body.getReader() as Opened["reader"] }; // Bun's, with readMany()
}

/** Waits for the first byte of a body, or for the end of an empty one. */
export async function openAtFirstByte(body: ReadableStream<Uint8Array>): Promise<Opened> {
  const { reader } = open(body);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { reader };
    if (value.length > 0) return { reader, first: value };
  }
}

/** Reads the rest of a body. @throws if the upstream breaks off */
export async function readAll({ reader, first }: Opened): Promise<Uint8Array<ArrayBuffer>> {
  const pieces = first === undefined ? [] : [first];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(pieces);
    pieces.push(value);
  }
}

type Many = ReturnType<Opened["reader"]["readMany"]>;

/** The source of the client's stream. One object and one async function: thousands may be open. */
class Passage implements Bun.DirectUnderlyingSource<Uint8Array> {
  /** A third cheaper than a stream with a queue of its own (tests/bench/README.md). */
  readonly type = "direct";
  readonly #reader: Opened["reader"];
  #first: Uint8Array | undefined;
  readonly #watch: BodyWatch;
  #bytes = 0;
  #pieces = 0;
  #firstPiece: Uint8Array | undefined;
  /** The pieces of the last three reads, the latest first. */
  #last = NONE;
  #before = NONE;
  #earlier = NONE;
  #open = true;
  /** An error that happens meanwhile is the upstream's fault. */
  #isReading = false;

  constructor({ reader, first }: Opened, watch: BodyWatch) {
    this.#reader = reader;
    this.#first = first;
    this.#watch = watch;
  }

  /** Passes on the whole body. */
  async pull(controller: ReadableStreamDirectController): Promise<void> {
    try {
      // Awaits pending promises only. At each await Bun sends the bytes it has: a fast answer would take twice as
      // many writes and almost twice the CPU time.
      let isDone = false;
      while (this.#open && !isDone) {
        const many = this.#next();
        const { done, value: pieces } = many instanceof Promise ? await many : many;
        this.#isReading = false;
        if (!this.#open) return; // cancelled while the read was pending
        this.#write(pieces, controller);
        isDone = done;
        const taken = isDone ? undefined : this.#flush(controller);
        if (taken !== undefined) await taken;
      }
      if (!this.#open) return;
      this.#end();
      controller.close();
    } catch (error) {
      await this.#fail(error, controller);
    }
  }

  async #fail(error: unknown, controller: ReadableStreamDirectController): Promise<void> {
    if (!this.#open) return;
    this.#end({ error, isBug: !this.#isReading });
    await Bun.sleep(0); // see breakOff()
    controller.close(error as Error);
  }

  cancel(reason: unknown): Promise<void> {
    this.#end({ cancelled: true });
    return this.#reader.cancel(reason);
  }

  #next(): Many {
    const first = this.#first;
    if (first !== undefined) {
      this.#first = undefined;
      return { done: false, value: [first], size: first.length };
    }
    this.#isReading = true;
    const many = this.#reader.readMany();
    if (many instanceof Promise) this.#watch.waitFor("read");
    return many;
  }

  /** @returns a promise for the client to take all bytes. Without this wait the answer would pile up in memory */
  #flush(controller: ReadableStreamDirectController): Promise<unknown> | undefined {
    const taken: unknown = controller.flush(true);
    if (!(taken instanceof Promise) || Bun.peek.status(taken) !== "pending") return undefined;
    this.#watch.waitFor("client");
    return taken;
  }

  #write(pieces: readonly Uint8Array[], controller: ReadableStreamDirectController): void {
    if (pieces.length === 0) return;
    if (this.#pieces === 0) this.#watch.began?.();
    this.#pieces += pieces.length;
    const before = this.#bytes;
    for (const piece of pieces) {
      this.#bytes += piece.length;
      this.#watch.passing?.(piece);
      controller.write(piece);
    }
    if (this.#watch.keepsPieces) this.#keep(pieces, this.#bytes - before);
  }

  /**
   * Keeps the pieces as they came, without work for each piece. One read may bring 512 KiB (measured, 1.4.5): then
   * the reads before it are not needed.
   */
  #keep(pieces: readonly Uint8Array[], bytes: number): void {
    this.#firstPiece ??= headOf(pieces[0] ?? EMPTY);
    const isEnough = bytes >= TAIL_BYTES_MAX;
    this.#earlier = isEnough ? NONE : this.#before;
    this.#before = isEnough ? NONE : this.#last;
    this.#last = pieces;
  }

  #end(how?: Pick<BodyEnd, "error" | "isBug" | "cancelled">): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch.ended({
      bytes: this.#bytes,
      pieces: this.#pieces,
      ...(this.#firstPiece !== undefined && {
        firstPiece: this.#firstPiece,
        lastPieces: [...this.#earlier, ...this.#before, ...this.#last],
      }),
      ...how,
    });
  }
}

const NONE: readonly Uint8Array[] = [];
const EMPTY = new Uint8Array();
/** Copies the beginning of a long piece. Otherwise the whole piece would stay in memory until the answer ends. */
function headOf(piece: Uint8Array): Uint8Array {
  return piece.length <= HEAD_BYTES_MAX ? piece : piece.slice(0, HEAD_BYTES_MAX);
}

/**
 * Fails the stream, so that Bun aborts the client's connection. Waits for the next turn first: Bun prints the error
 * on stderr if a body fails as soon as Bun.serve asks for it (measured, 1.4.5).
 */
export async function breakOff(
  controller: ReadableStreamDefaultController<Uint8Array>,
  error: unknown,
): Promise<void> {
  await Bun.sleep(0);
  controller.error(error);
}

/**
 * Makes a body from bytes that are all in memory. An answer without a Content-Type gets a stream of one piece,
 * because Bun would add a Content-Type to bytes. Bun sends such a stream with its length if it is small.
 */
export function bodyOf(
  bytes: Uint8Array<ArrayBuffer>,
  headers: Headers,
): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> {
  return headers.get("content-type") ? bytes : onePiece(bytes);
}

/** Makes a stream from bytes that are all in memory. */
export function onePiece(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
}
