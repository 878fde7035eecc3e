/** The body of a request as it is to be sent on, for tests that read it. */
import type { RequestBody } from "../../../src/proxy/body/read-result.ts";

export function contentOf(
  body: RequestBody,
): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null {
  switch (body.kind) {
    case "none":
      return null;
    case "bytes":
      return body.bytes;
    case "stream":
      return body.stream;
  }
}

/** Fails if it is no stream. */
export function streamOf(body: RequestBody): ReadableStream<Uint8Array> {
  if (body.kind !== "stream") throw new Error(`the body is ${body.kind}, and no stream`);
  return body.stream;
}
