/** Bun's own WebSocket client, in this process. For other clients see `tests/support/websocket/`. */
import { until, within } from "../until.ts";

export type Conversation = {
  readonly socket: WebSocket;
  /** All messages so far. */
  readonly messages: (string | Buffer)[];
  readonly untilMessages: (count: number) => Promise<void>;
  readonly closed: () => Promise<Ended>;
};

/** Code and reason of the Close frame. The code is 1006 without such a frame. */
type Ended = { readonly code: number; readonly reason: string };

/** Opens a WebSocket. Fails if the server refuses it, or if it takes longer than `boundMs`. */
export async function converse(url: string, headers = {}, boundMs = 3_000): Promise<Conversation> {
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
  await within("the WebSocket", opened.promise, boundMs);
  return {
    socket,
    messages,
    untilMessages: (count) => until(`${count} messages came`, () => messages.length >= count),
    closed: () => within("the end of the WebSocket", closed.promise, 6_000),
  };
}

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** The headers of a handshake, for tests that look at the answer. */
export const HANDSHAKE: Readonly<Record<string, string>> = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": KEY,
};

/** The answer to a handshake that the server refuses. */
export function refusedHandshake(url: string, headers = {}): Promise<Response> {
  return fetch(url, { headers: { ...HANDSHAKE, ...headers } });
}
