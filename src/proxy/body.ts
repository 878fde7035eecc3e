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
  /** Set if the client left before the end. */
  readonly cancelled?: true;
};

/**
 * The same bytes, one pull at a time (no read-ahead, so the client's pace is the backend's pace).
 * An upstream that breaks off makes this stream fail, never end: Bun then resets the client.
 */
export function watchBody(
  body: ReadableStream<Uint8Array>,
  watch: BodyWatch,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let bytes = 0;
  let open = true;
  const end = (how?: Omit<BodyEnd, "bytes">): void => {
    if (!open) return;
    open = false;
    watch.ended({ bytes, ...how });
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        watch.waitFor("read");
        const read = await reader.read().catch((error: unknown) => ({ error }));
        if (!open) return; // cancelled while the read was pending
        watch.waitFor("client");
        if ("error" in read) {
          end({ error: read.error });
          await breakOff(controller, read.error);
        } else if (read.done) {
          end();
          controller.close();
        } else {
          bytes += read.value.length;
          watch.passing?.(read.value);
          controller.enqueue(read.value);
        }
      },
      async cancel(reason) {
        end({ cancelled: true });
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
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
