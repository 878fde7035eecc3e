/** What is spoken over a WebSocket, as types: sockets.ts carries it, realtime.ts and responses-socket.ts speak it. */
import type { Fields } from "./call.ts";
import type { Gate } from "./control.ts";
import type { Settings } from "./settings.ts";

/** Goes out as one JSON text message. */
export type SocketEvent = { readonly type: string; readonly [field: string]: unknown };

export type SessionInit = {
  readonly settings: Settings;
  /** Of the handshake, or the server's first. */
  readonly model: string;
  /** Aborted when the WebSocket has ended. */
  readonly signal: AbortSignal;
  readonly gate: Gate;
  /** For the journal: what a message asks for. */
  readonly onModel: (model: string) => void;
};

export type Session = {
  /** What the server says first, if it does. */
  readonly greeting: () => SocketEvent | undefined;
  /**
   * Called for each message as it comes, also while an earlier one is being answered.
   *
   * @param fields undefined if the message is no JSON object
   * @param bytes length of the message
   */
  readonly reply: (fields: Fields | undefined, bytes: number) => AsyncGenerator<SocketEvent>;
};

export type OpenSession = (init: SessionInit) => Session;
