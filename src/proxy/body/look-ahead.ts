/**
 * Reads a body on that has waited unread, as far as it has come: so it shows whether its client is still there before
 * anything is sent to a server. Waits for no client.
 */
import type { BodySource } from "./read-on.ts";
import type { BodyReader } from "./upload-reader.ts";

type Read = ReturnType<BodyReader["read"]>;

/** More than the kernel keeps of what a client has sent, mostly. */
const AHEAD_BYTES_MAX = 4 * 1024 * 1024;

/** @throws the stream's error if the client has gone */
export async function readWhatHasCome(source: BodySource): Promise<void> {
  const { reader, pieces, keep } = source;
  const untilBytes = reader.bytes + AHEAD_BYTES_MAX;
  while (reader.bytes < untilBytes) {
    source.next ??= readOf(reader);
    // Bun reads from the socket then, and tells after the last bytes that the client has gone.
    for (let n = 0; n < 2; n += 1) await new Promise(setImmediate);
    if (Bun.peek.status(source.next) === "pending") return;
    const { done, value } = await source.next;
    if (done) return;
    source.next = undefined;
    keep.take(value.length, pieces.push(value));
  }
}

/** The next piece of the body, which may have been asked for already. */
export function nextOf(source: Pick<BodySource, "reader" | "next">): Read {
  const next = source.next ?? source.reader.read();
  source.next = undefined;
  return next;
}

/** It may fail before anybody asks for what it has read. */
function readOf(reader: BodyReader): Read {
  const read = reader.read();
  read.catch(() => undefined);
  return read;
}
