/** One case of the comparison of handshakes, and what is expected of it through the proxy. */
import type { Answered, Arrived, Exchanged, Handshake } from "./handshake-exchange.ts";

/** The proxy's own answer. */
export type Own = {
  readonly status: number;
  readonly code: string;
  /** What must stand in its headers. */
  readonly headers?: Readonly<Record<string, string>>;
};

export type HandshakeCase = Handshake & {
  readonly name: string;
  /** What the server answers, or is taken for. */
  readonly status: number;
  readonly through?: {
    /** The proxy answers itself. */
    readonly own?: Own;
    /** The server is not asked. */
    readonly asked?: false;
    /** The request line that the server gets. */
    readonly start?: string;
    /** Headers that the server, or the client, gets with another value; undefined: not at all. */
    readonly request?: Readonly<Record<string, string | undefined>>;
    readonly answer?: Readonly<Record<string, string | undefined>>;
    readonly because: string;
  };
};

/** What the server is to get of the request: what it got directly, and what the proxy adds. */
export function expectedArrival({ through }: HandshakeCase, { server }: Exchanged): Arrived {
  const { start = "", headers = {} } = server ?? {};
  const added = {
    "sec-websocket-key": "another, 16 B", // the two hops are two WebSockets
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-host": headers["host"],
    "x-forwarded-proto": "http",
    via: "1.1 the-proxy",
  };
  return {
    start: through?.start ?? start,
    headers: defined({ ...headers, ...added, ...through?.request }),
  };
}

/** What the client is to get of the answer: what it got directly. */
export function expectedAnswer(
  { through }: HandshakeCase,
  { client }: Exchanged,
): Answered | undefined {
  return client && { ...client, headers: defined({ ...client.headers, ...through?.answer }) };
}

/** As much of an answer of the proxy's own as a case names. */
export function ownAnswer(answer: Answered | undefined, { headers = {} }: Own): Own | undefined {
  if (answer === undefined) return undefined;
  const named = Object.keys(headers).map((name) => [name, answer.headers[name] ?? ""] as const);
  return {
    ...{ status: answer.status, code: answer.code ?? "" },
    ...(named.length > 0 && { headers: Object.fromEntries(named) }),
  };
}

function defined(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const there = Object.entries(headers).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(there);
}
