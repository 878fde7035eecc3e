/**
 * Reads the bytes of a waiting body that have come meanwhile. This shows whether the client is still connected before
 * the proxy sends anything to a server. Never waits for the client.
 */
import type { BodySource } from "./read-on.ts";
import type { BodyReader } from "./upload-reader.ts";

type Read = ReturnType<BodyReader["read"]>;

/** Usually more than the kernel's receive buffer holds. */
const AHEAD_BYTES_MAX = 4 * 1024 * 1024;

/** @throws the stream's error if the client has gone */
export async function readWhatHasCome(source: BodySource): Promise<void> {
  const { reader, pieces, keep } = source;
  const untilBytes = reader.bytes + AHEAD_BYTES_MAX;
  while (reader.bytes < untilBytes) {
    source.next ??= readOf(reader);
    // Bun now reads from the socket. It reports after the last bytes that the client has gone.
    for (let n = 0; n < 2; n += 1) await new Promise(setImmediate);
    if (Bun.peek.status(source.next) === "pending") return;
    const { done, value } = await source.next;
    if (done) return;
    source.next = undefined;
    keep.take(value.length, pieces.push(value));
  }
}

/** The next piece of the body. Its read may have begun already. */
export function nextOf(source: Pick<BodySource, "reader" | "next">): Read {
  const next = source.next ?? source.reader.read();
  source.next = undefined;
  return next;
}

/** The empty `catch` is needed: the read may fail before any caller awaits it. */
function readOf(reader: BodyReader): Read {
  const read = reader.read();
  read.catch(() => undefined);
  return read;
}
