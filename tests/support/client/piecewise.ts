/** Request bodies that a test sends piece by piece, and what the reader took of them. */

/** A request of pieces that come one at each pull; `pulls` and `cancelled` tell what was taken. */
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

/** A stream has no length, so it goes out chunked. */
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
