/** One case of the comparison of handshakes, and the expected results through the proxy. */
import type { Answered, Arrived, Exchanged, Handshake } from "./handshake-exchange.ts";

/** The proxy's own answer. */
export type Own = {
  readonly status: number;
  readonly code: string;
  /** Headers that the answer must have. */
  readonly headers?: Readonly<Record<string, string>>;
};

export type HandshakeCase = Handshake & {
  readonly name: string;
  /** The status of the server's answer, as the client sees it directly. */
  readonly status: number;
  readonly through?: {
    /** The proxy answers itself. */
    readonly own?: Own;
    /** The server does not get the request. */
    readonly asked?: false;
    /** The request line that the server gets. */
    readonly start?: string;
    /**
     * Headers that arrive with another value at the server or the client. Undefined: the header does not
     * arrive.
     */
    readonly request?: Readonly<Record<string, string | undefined>>;
    readonly answer?: Readonly<Record<string, string | undefined>>;
    readonly because: string;
  };
};

/** The request that the server must get: the same as directly, plus the proxy's additions. */
export function expectedArrival({ through }: HandshakeCase, { server }: Exchanged): Arrived {
  const { start = "", headers = {} } = server ?? {};
  const added = {
    "sec-websocket-key": "another, 16 B", // each hop is a WebSocket of its own
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

/** The answer that the client must get: the same as directly. */
export function expectedAnswer(
  { through }: HandshakeCase,
  { client }: Exchanged,
): Answered | undefined {
  return client && { ...client, headers: defined({ ...client.headers, ...through?.answer }) };
}

/** The parts of the proxy's own answer that the case names. */
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
