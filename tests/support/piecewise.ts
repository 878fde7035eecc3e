/** A request whose body a test gives piece by piece. */

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
