/** A server that accepts WebSockets, says hello, and sends each message back. */

type Close = { readonly code: number; readonly reason: string };

export type WebSocketServer = Disposable & {
  readonly origin: string;
  /** The handshakes. */
  readonly requests: Request[];
  /** The open WebSockets. */
  readonly open: Set<Bun.ServerWebSocket<unknown>>;
  readonly messages: (string | Buffer)[];
  readonly closes: Close[];
  /** The content of the received pongs. */
  readonly pongs: string[];
};

type Init = {
  /** The answer to a handshake, instead of accepting it. */
  readonly refuses?: (request: Request) => Response | undefined | Promise<Response | undefined>;
  /** The reaction to a message, instead of sending it back. */
  readonly onMessage?: (socket: Bun.ServerWebSocket<unknown>) => void;
  /** The first message of the server. */
  readonly hello?: string;
};

export function startWebSocketServer({ refuses, hello, onMessage }: Init = {}): WebSocketServer {
  const requests: Request[] = [];
  const open: WebSocketServer["open"] = new Set();
  const messages: (string | Buffer)[] = [];
  const closes: Close[] = [];
  const pongs: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request, own): Promise<Response | undefined> => {
      requests.push(request);
      const refusal = await refuses?.(request);
      if (refusal !== undefined) return refusal;
      return own.upgrade(request) ? undefined : new Response("no handshake", { status: 400 });
    },
    websocket: {
      maxPayloadLength: 64 * 1024 * 1024,
      sendPings: false,
      open: (socket) => {
        open.add(socket);
        if (hello !== undefined) socket.sendText(hello);
      },
      message: (socket, message) => {
        messages.push(message);
        if (onMessage === undefined) socket.send(message);
        else onMessage(socket);
      },
      pong: (_socket, data) => void pongs.push(data.toString()),
      close: (socket, code, reason) => {
        open.delete(socket);
        closes.push({ code, reason });
      },
    },
  });
  return {
    origin: `http://127.0.0.1:${server.port}`,
    ...{ requests, open, messages, closes, pongs },
    [Symbol.dispose]: () => void server.stop(true),
  };
}
