/**
 * The types of a session over a WebSocket. sockets.ts transports it; realtime.ts and responses-socket.ts
 * implement it.
 */
import type { Fields } from "./call.ts";
import type { Gate } from "./control.ts";
import type { Settings } from "./settings.ts";

/** Sent as one JSON text message. */
export type SocketEvent = { readonly type: string; readonly [field: string]: unknown };

export type SessionInit = {
  readonly settings: Settings;
  /** The model of the handshake, or the server's first model. */
  readonly model: string;
  /** Aborted when the WebSocket has ended. */
  readonly signal: AbortSignal;
  readonly gate: Gate;
  /** Tells the journal which model a message asks for. */
  readonly onModel: (model: string) => void;
};

export type Session = {
  /** The server's first message, if it has one. */
  readonly greeting: () => SocketEvent | undefined;
  /**
   * Called for each message when it arrives, also while an earlier one is being answered.
   *
   * @param fields undefined if the message is not a JSON object
   * @param bytes length of the message
   */
  readonly reply: (fields: Fields | undefined, bytes: number) => AsyncGenerator<SocketEvent>;
};

export type OpenSession = (init: SessionInit) => Session;
