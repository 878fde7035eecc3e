/** Stands in for an inference server that streams: a token every 10 ms while `open()` is true, then the end. */
export function startTokenServer(open: () => boolean): Disposable & { readonly port: number } {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: ({ url }) => {
      if (url.endsWith("/models")) return Response.json({ data: [{ id: "m" }] });
      const tokens = async function* (): AsyncGenerator<string> {
        do {
          yield "data: {}\n\n";
          await Bun.sleep(10); // the server's pace
        } while (open());
        yield "data: [DONE]\n\n";
      };
      return new Response(tokens(), { headers: { "content-type": "text/event-stream" } });
    },
  });
  return { port: server.port ?? 0, [Symbol.dispose]: () => void server.stop(true) };
}
