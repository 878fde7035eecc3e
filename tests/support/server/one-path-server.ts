/** A server that answers one path with what a test says, and anything else with 404. */
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
