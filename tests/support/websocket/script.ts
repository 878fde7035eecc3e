/** What one end of a WebSocket is to do, step by step. Data, since some of it is sent to a process of Node. */

/** Goes on when its own transcript has so many lines, the one of the handshake counted. */
type Wait = { readonly until: number };

/** Ends the TCP connection in order (FIN), or breaks it (RST), without a Close frame. */
type Leave = { readonly leave: "FIN" | "RST" };

/** For npm's ws. */
export type Step =
  | Wait
  | Leave
  /** @property repeat makes it so many times longer; @property times sends it so often */
  | { readonly text: string; readonly repeat?: number; readonly times?: number }
  /** As the above; in hexadecimal. */
  | { readonly binary: string; readonly repeat?: number; readonly times?: number }
  | { readonly ping: string }
  | { readonly pong: string }
  /** null: a Close frame without a code. */
  | { readonly close: number | null; readonly reason?: string };

/** For a bare socket. */
export type RawStep =
  | Wait
  /** Goes on when a Close frame has come. */
  | { readonly until: "close" }
  | Leave
  /** @property chopped sends them one at a time */
  | { readonly bytes: Uint8Array; readonly chopped?: true };

export type ScriptedServer = {
  readonly steps: readonly Step[];
  /** Sends each message back. */
  readonly echo?: true;
  /** The subprotocol that it chooses. */
  readonly protocol?: string;
};

export type ScriptedClient = {
  readonly steps: readonly Step[];
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
};
