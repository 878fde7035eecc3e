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
      return copied(body.stream);
  }
}

/** Fails if it is no stream. */
export function streamOf(body: RequestBody): ReadableStream<Uint8Array> {
  if (body.kind !== "stream") throw new Error(`the body is ${body.kind}, and no stream`);
  return copied(body.stream);
}

/** Keeps each piece, as fetch does: a piece holds its bytes only until the next is asked for. */
function copied(stream: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  return new ReadableStream(
    {
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(new Uint8Array(value)); // of a Buffer, slice() is no copy
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
