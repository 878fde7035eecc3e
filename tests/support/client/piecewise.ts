/** Request bodies that a test sends piece by piece. They record how much the reader has taken. */

/** A request that gives one piece at each pull. `pulls` and `cancelled` show what the reader did. */
export function piecewise(pieces: readonly string[], headers: Record<string, string> = {}) {
  const state = { pulls: 0, cancelled: undefined as unknown };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        const piece = pieces[state.pulls];
        state.pulls += 1;
        if (piece === undefined) controller.close();
        else controller.enqueue(Buffer.from(piece));
      },
      cancel: (reason) => {
        state.cancelled = reason ?? "cancelled";
      },
    },
    { highWaterMark: 0 },
  );
  const request = new Request("http://proxy.test/", { method: "POST", headers, body: stream });
  return { request, state };
}

/** A body as a stream. It has no known length, so it is sent chunked. */
export function chunked(body: string): ReadableStream<Uint8Array> {
  const bytes = Buffer.from(body);
  return new ReadableStream({
    start: (controller) => {
      controller.enqueue(bytes.subarray(0, 9));
      controller.enqueue(bytes.subarray(9));
      controller.close();
    },
  });
}
