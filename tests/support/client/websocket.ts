/** A WebSocket client in this process: Bun's own. How it is with others is in `tests/support/websocket/`. */
import { until, within } from "../until.ts";

export type Conversation = {
  readonly socket: WebSocket;
  /** All that has come. */
  readonly messages: (string | Buffer)[];
  readonly untilMessages: (count: number) => Promise<void>;
  readonly closed: () => Promise<Ended>;
};

/** Its Close frame: 1006 if there was none. */
type Ended = { readonly code: number; readonly reason: string };

/** Opens one. Fails if it is refused. */
export async function converse(url: string, headers = {}): Promise<Conversation> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), { headers });
  socket.binaryType = "nodebuffer";
  const messages: (string | Buffer)[] = [];
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<Ended>();
  socket.onmessage = ({ data }: MessageEvent<string | Buffer>) => void messages.push(data);
  socket.onopen = () => opened.resolve();
  socket.onclose = ({ code, reason }) => {
    opened.reject(new Error(`it was refused or closed: ${code}`));
    closed.resolve({ code, reason });
  };
  await within("the WebSocket", opened.promise);
  return {
    socket,
    messages,
    untilMessages: (count) => until(`${count} messages came`, () => messages.length >= count),
    closed: () => within("the end of the WebSocket", closed.promise, 6_000),
  };
}

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** The headers of a handshake, for those that look at its answer. */
export const HANDSHAKE: Readonly<Record<string, string>> = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": KEY,
};

/** What a handshake that is refused is answered. */
export function refusedHandshake(url: string, headers = {}): Promise<Response> {
  return fetch(url, { headers: { ...HANDSHAKE, ...headers } });
}
