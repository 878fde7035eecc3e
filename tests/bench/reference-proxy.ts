/**
 * `UPSTREAM=http://… bun tests/bench/reference-proxy.ts [PORT]`: the smallest possible proxy on Bun: no
 * routing, no bookkeeping, and Bun's own handling of bodies. Prints its port, which is free if none is given.
 * The cost of our proxy is a multiple of this one's cost, which holds on any machine
 * (tests/e2e/binary/cpu.e2e.ts, and `bun run bench`).
 */
const upstream = process.env["UPSTREAM"] ?? "";

const server = Bun.serve({
  port: Number(process.argv[2] ?? 0),
  hostname: "127.0.0.1",
  development: false,
  fetch: async (request) => {
    const { pathname } = new URL(request.url);
    const body = await request.bytes();
    const { method, headers } = request;
    const init = { method, headers, body, decompress: false, redirect: "manual" } as const;
    const answer = await fetch(upstream + pathname, init);
    const known = answer.headers.has("content-length");
    return new Response(known ? await answer.bytes() : answer.body, {
      status: answer.status,
      headers: { "content-type": answer.headers.get("content-type") ?? "" },
    });
  },
});
process.stdout.write(`${server.port}\n`);
