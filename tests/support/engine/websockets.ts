/** WebSockets to the stand-in servers of a real engine, through the compiled proxy. */
import { type Conversation, converse, refusedHandshake } from "../client/websocket.ts";
import type { CompiledProxy } from "../proxy/compiled.ts";
import { until } from "../until.ts";
import { admin, type Server, type ServerInit } from "./real.ts";

/** The proxy's Close frame when a WebSocket's time to finish is over. */
export const TIME_UP = { code: 1012, reason: "being stopped or replaced: connect again" };

/**
 * A server of the model that accepts WebSockets.
 *
 * @param more environment variables
 */
export function talker(model: string, more: Readonly<Record<string, string>> = {}): ServerInit {
  return {
    env: { MODELS: model, REALTIME_UPGRADE: "take", RESPONSES_UPGRADE: "take", ...more },
    flags: ["--health-interval", "250ms"],
  };
}

/** Opens a Realtime session. Resolves when the server has greeted. */
export async function talk(origin: string, model: string): Promise<Conversation> {
  const conversation = await converse(`${origin}/v1/realtime?model=${model}`);
  await conversation.untilMessages(1);
  return conversation;
}

/** Makes the server answer with a few tokens. Resolves when the answer is complete. */
export async function turn(conversation: Conversation): Promise<void> {
  await begin(conversation, { tokens: 3, token_delay_ms: 1 })();
}

/** Makes the server answer. @returns a function that waits until the answer is complete */
export function begin(
  { socket, messages }: Conversation,
  pace: Readonly<Record<string, number>>,
): () => Promise<void> {
  const before = messages.length;
  socket.send(JSON.stringify({ type: "response.create", ...pace }));
  const isDone = (): boolean =>
    messages
      .slice(before)
      .some((message) => /"type":"response\.(done|completed)"/.test(`${message}`));
  return () => until("the answer is complete", isDone, 10_000);
}

/** @returns status and code of the answer to a refused handshake */
export async function refusal(origin: string, model: string): Promise<string> {
  const response = await refusedHandshake(`${origin}/v1/realtime?model=${model}`);
  const { error } = (await response.json()) as { readonly error?: { readonly code?: string } };
  return `${response.status} ${error?.code}`;
}

type SocketEnd = { readonly code: number; readonly reason: string; readonly by: string };

/** How the server saw its WebSockets end. `null` for an open one. */
export async function endsAt(server: Server): Promise<readonly (SocketEnd | null)[]> {
  const entries = (await (await admin(server, "/requests")).json()) as readonly {
    readonly socket?: { readonly status: number | null; readonly end: SocketEnd | null };
  }[];
  return entries.flatMap(({ socket }) => (socket?.status === 101 ? [socket.end] : []));
}

const EARLY = "websockets broken off";

/** The lines of the proxy's log about WebSockets of this container that ended early. */
export function earlyEndsIn(
  proxy: CompiledProxy,
  name: string,
): readonly Readonly<Record<string, unknown>>[] {
  return proxy.log().filter(({ message, container }) => message === EARLY && container === name);
}
