/** The steps of one end of a WebSocket. Plain data, because some of it is sent to a Node process. */

/** Continues when the own transcript has this many lines, including the line of the handshake. */
type Wait = { readonly until: number };

/** Ends the TCP connection in order (FIN), or breaks it (RST), without a Close frame. */
type Leave = { readonly leave: "FIN" | "RST" };

/** For npm's ws. */
export type Step =
  | Wait
  | Leave
  /** @property repeat repeats the content of the message; @property times sends the message several times */
  | { readonly text: string; readonly repeat?: number; readonly times?: number }
  /** Like a text. In hexadecimal. */
  | { readonly binary: string; readonly repeat?: number; readonly times?: number }
  | { readonly ping: string }
  | { readonly pong: string }
  /** null: a Close frame without a code. */
  | { readonly close: number | null; readonly reason?: string };

/** For a bare socket. */
export type RawStep =
  | Wait
  /** Continues when a Close frame has arrived. */
  | { readonly until: "close" }
  | Leave
  /** @property chopped sends one byte at a time */
  | { readonly bytes: Uint8Array; readonly chopped?: true };

export type ScriptedServer = {
  readonly steps: readonly Step[];
  /** Sends each message back. */
  readonly echo?: true;
  /** The subprotocol that the server chooses. */
  readonly protocol?: string;
};

export type ScriptedClient = {
  readonly steps: readonly Step[];
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
};
