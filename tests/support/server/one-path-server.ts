/** A server that answers one path as the test wants, and every other path with 404. */
export function startOnePath(
  path: string,
  answer: () => Response | Promise<Response>,
): Bun.Server<undefined> {
  return Bun.serve({
    port: 0,
    fetch: ({ url }) =>
      new URL(url).pathname === path ? answer() : new Response("", { status: 404 }),
  });
}
