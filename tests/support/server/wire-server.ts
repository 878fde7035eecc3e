/**
 * Stands in for an inference server, on bare sockets. The test writes every byte of its answers. It parses
 * the requests and passes each to the test. It answers requests for its models by itself.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { type HttpMessage, parseMessage } from "../client/http-message.ts";
import { until, within } from "../until.ts";

/** A complete request, and the ways to answer it. */
export type Arrival = {
  readonly server: WireServer;
  readonly request: HttpMessage;
  /** Writes these bytes. A text has one byte for each character. */
  readonly send: (bytes: string | Uint8Array) => void;
  /** Ends the connection in order (FIN). */
  readonly end: () => void;
  readonly reset: () => void;
  /** Whether the other side has left. */
  readonly closed: () => boolean;
};

export class WireServer implements Disposable {
  readonly name: string;
  readonly #models: string;
  readonly #onArrival: (arrival: Arrival) => void;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  port = 0;

  /** @param models the entries of its list */
  constructor(name: string, models: readonly object[], onArrival: (arrival: Arrival) => void) {
    this.name = name;
    this.#models = JSON.stringify({ object: "list", data: models });
    this.#onArrival = onArrival;
  }

  /** Listens, on the same port as before if it had one. */
  async start(): Promise<this> {
    this.#server = createServer((socket) => this.#serve(socket));
    const listening = Promise.withResolvers<void>();
    this.#server.listen(this.port, "127.0.0.1", listening.resolve);
    await within("a port", listening.promise);
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /** Like a killed process: resets all its connections, and refuses new ones. */
  die(): void {
    this.#server?.close();
    this.#server = undefined;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  get isListening(): boolean {
    return this.#server !== undefined;
  }

  [Symbol.dispose](): void {
    this.die();
  }

  #serve(socket: Socket): void {
    let received: Buffer = Buffer.alloc(0);
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      const request = parseMessage(received);
      if (request === undefined) return;
      received = received.subarray(request.length);
      if (request.start.startsWith("GET /v1/models ")) socket.write(answer(200, {}, this.#models));
      else this.#onArrival(this.#arrival(socket, request));
    });
  }

  #arrival(socket: Socket, request: HttpMessage): Arrival {
    return {
      server: this,
      request,
      send: (bytes) => {
        socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
      },
      end: () => {
        socket.end();
      },
      reset: () => {
        socket.resetAndDestroy();
      },
      closed: () => socket.destroyed || socket.readableEnded,
    };
  }
}

/** The bytes of an answer with known length. @param headers name → value, or values */
export function answer(
  status: number,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
  body = "",
): string {
  return `${head(status, { "Content-Length": String(body.length), ...headers })}${body}`;
}

export function head(
  status: number,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): string {
  const lines = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value) => `${name}: ${value}`),
  );
  return `${[`HTTP/1.1 ${status} As told`, ...lines].join("\r\n")}\r\n\r\n`;
}

/** One chunk of a body without a length. An empty text ends the body. */
export function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** Waits until the other side has left. */
export function untilLeft(arrival: Arrival): Promise<void> {
  return until("the proxy has given up the request", arrival.closed);
}
