/**
 * Stands in for wollomatic's socket-proxy (version 1.12): a regular expression for each method, matched
 * against the whole path. A forbidden path gets 403 in plain text. A method without an expression gets 405.
 * It passes on each piece of an answer at once.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import type { SocketProxy } from "./process.ts";

type Rules = {
  /** As in `-allowGET`. Without it, no GET is allowed. */
  readonly allowGet?: string;
};

/** The rule for Traefik in wollomatic's README: only paths with an API version. */
export const RULE_FOR_TRAEFIK = String.raw`/v1\..{1,2}/(version|containers/.*|events.*)`;

export async function startWollomatic(socketPath: string, rules: Rules): Promise<SocketProxy> {
  const allowed = new Map<string | undefined, RegExp>();
  if (rules.allowGet !== undefined) allowed.set("GET", new RegExp(`^(?:${rules.allowGet})$`));
  const server = createServer((incoming, response) => {
    const rule = allowed.get(incoming.method);
    const path = new URL(incoming.url ?? "", "http://docker").pathname;
    if (rule === undefined) refuse(response, 405, "Method Not Allowed");
    else if (rule.test(decodeURIComponent(path))) pass(socketPath, incoming, response);
    else refuse(response, 403, "Forbidden");
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return {
    host: `tcp://127.0.0.1:${port}`,
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function pass(socketPath: string, incoming: IncomingMessage, response: ServerResponse): void {
  const { url, method, headers } = incoming;
  const outgoing = request({ socketPath, path: url, method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    pipeline(answer, response, () => undefined);
  });
  outgoing.on("error", () => response.destroy());
  response.on("close", () => outgoing.destroy());
  outgoing.end();
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(`${text}\n`);
}
