/**
 * Types of the WebSocket client `ws` that is built into Bun (not a package), as far as the proxy uses it. The linter and
 * knip mistake it for the npm package `ws`, which the tests use under Node.
 */
declare module "ws" {
  import type { IncomingMessage } from "node:http";

  export type ClientOptions = {
    readonly headers: Readonly<Record<string, string>>;
    readonly perMessageDeflate: false;
    /** The longest message from the server, bytes. */
    readonly maxPayload: number;
    /** False: the code that uses the client answers the server's pings. */
    readonly autoPong: boolean;
    readonly followRedirects: boolean;
    /** How long the server may keep the connection open after the Close frames, ms. */
    readonly closeTimeout: number;
  };

  type Events = {
    /** The head of a 101. `ws` validates it after the listener has returned. */
    readonly upgrade: (response: IncomingMessage) => void;
    readonly open: () => void;
    /** An answer other than 101. */
    readonly "unexpected-response": (request: unknown, response: IncomingMessage) => void;
    readonly message: (data: Buffer, isBinary: boolean) => void;
    readonly ping: (data: Buffer) => void;
    readonly pong: (data: Buffer) => void;
    /** The connection has ended. 1006: without a Close frame from the server. */
    readonly close: (code: number, reason: Buffer) => void;
    /** Ends the process if there is no listener. */
    readonly error: (error: Error) => void;
  };

  export class WebSocket {
    constructor(url: string, protocols: readonly string[], options: ClientOptions);
    /** Bytes that the kernel has not taken yet. */
    readonly bufferedAmount: number;
    on<E extends keyof Events>(event: E, listener: Events[E]): void;
    /** @param written called when the kernel has taken all bytes, or will never get them */
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
