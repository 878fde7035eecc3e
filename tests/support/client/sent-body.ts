/** Reads the body that the proxy would send on, for tests. */
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
      return copied(body.stream);
  }
}

/** Fails if the body is not a stream. */
export function streamOf(body: RequestBody): ReadableStream<Uint8Array> {
  if (body.kind !== "stream") throw new Error(`the body is ${body.kind}, not a stream`);
  return copied(body.stream);
}

/** Copies each piece, as fetch does: the bytes of a piece are valid only until the next pull. */
function copied(stream: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  return new ReadableStream(
    {
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(new Uint8Array(value)); // slice() of a Buffer does not copy
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
