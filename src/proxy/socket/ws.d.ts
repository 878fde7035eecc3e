/**
 * The WebSocket client `ws` that is built into Bun: no package. As much of it as the proxy uses. The linter and knip
 * take it for npm's package of this name, which the tests use under Node.
 */
declare module "ws" {
  import type { IncomingMessage } from "node:http";

  export type ClientOptions = {
    readonly headers: Readonly<Record<string, string>>;
    readonly perMessageDeflate: false;
    /** Longest message from the server, bytes. */
    readonly maxPayload: number;
    /** False: the server's pings are answered by whoever uses the client. */
    readonly autoPong: boolean;
    readonly followRedirects: boolean;
    /** How long the server may keep the connection open after the Close frames, ms. */
    readonly closeTimeout: number;
  };

  type Events = {
    /** The head of a 101. It is validated when the listener has returned. */
    readonly upgrade: (response: IncomingMessage) => void;
    readonly open: () => void;
    /** Any other answer than 101. */
    readonly "unexpected-response": (request: unknown, response: IncomingMessage) => void;
    readonly message: (data: Buffer, isBinary: boolean) => void;
    readonly ping: (data: Buffer) => void;
    readonly pong: (data: Buffer) => void;
    /** The connection has ended. 1006: without a Close frame of the server's. */
    readonly close: (code: number, reason: Buffer) => void;
    /** Ends the process if nobody listens. */
    readonly error: (error: Error) => void;
  };

  export class WebSocket {
    constructor(url: string, protocols: readonly string[], options: ClientOptions);
    /** Bytes that the kernel has not taken yet. */
    readonly bufferedAmount: number;
    on<E extends keyof Events>(event: E, listener: Events[E]): void;
    /** @param written called when the kernel has all of it, or will not get it */
    send(data: string | Uint8Array, written: () => void): void;
    ping(data: Uint8Array, mask: true, written: () => void): void;
    pong(data: Uint8Array, mask: true, written: () => void): void;
    pause(): void;
    resume(): void;
    close(code?: number, reason?: string): void;
    /** Ends the connection without a Close frame. */
    terminate(): void;
  }
}
