/**
 * Requests that the proxy makes for itself: to a server for its models, to the engine, to another proxy for
 * its status. The other side may be hostile. So this file counts bytes before it decodes them, decompresses
 * nothing, and stops reading at a limit. It does not send client requests.
 */
import { JoinedBytes } from "./joined-bytes.ts";

export type OwnRequestInit = {
  readonly signal: AbortSignal;
  /** Default: `GET`. */
  readonly method?: "POST";
  /** Path of a unix socket to use instead of the network. */
  readonly unix?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** The proxy refuses to read this answer. The message says why in a few words. */
export class AnswerRefused extends Error {
  override readonly name = "AnswerRefused";
}

/**
 * Sends a request without a body over a new connection. Follows no redirect and ignores proxy variables of the
 * environment. Only `signal` limits the time.
 *
 * @throws what fetch throws: a TypeError with a `code`, or the signal's reason
 */
export function ownRequest(url: string, init: OwnRequestInit): Promise<Response> {
  return fetch(url, {
    ...init,
    headers: { ...init.headers, "accept-encoding": "identity" },
    decompress: false,
    redirect: "manual",
    keepalive: false,
    timeout: false,
    proxy: false,
  });
}

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * Reads the whole body of an answer as UTF-8. Drops a byte order mark.
 *
 * @throws {AnswerRefused} if the body has a content encoding or is larger than `bytesMax`
 * @throws the error of the body reader if the answer breaks off or the signal aborts
 */
export async function readText(response: Response, bytesMax: number): Promise<string> {
  const joined = new JoinedBytes();
  for await (const piece of await identityBody(response)) {
    if (joined.length + piece.length > bytesMax) {
      throw new AnswerRefused(`the answer is larger than ${showSize(bytesMax)}`);
    }
    joined.append(piece);
  }
  return new TextDecoder().decode(joined.bytes);
}

/**
 * The bytes of an answer's body as they arrive.
 *
 * @throws {AnswerRefused} if the body has a content encoding, although we asked for identity (RFC 9110 §12.5.3)
 */
export async function identityBody(response: Response): Promise<AsyncIterable<Uint8Array>> {
  const encoding = response.headers.get("content-encoding")?.trim() || "identity";
  if (encoding.toLowerCase() === "identity") return response.body ?? nothing();
  await response.body?.cancel();
  const shown = JSON.stringify(encoding.slice(0, ENCODING_LENGTH_MAX));
  throw new AnswerRefused(
    `the answer has Content-Encoding ${shown}, which the proxy did not ask for`,
  );
}

const ENCODING_LENGTH_MAX = 40;

async function* nothing(): AsyncGenerator<Uint8Array> {}

function showSize(bytes: number): string {
  return bytes >= MIB ? `${bytes / MIB} MiB` : `${bytes / KIB} KiB`;
}
