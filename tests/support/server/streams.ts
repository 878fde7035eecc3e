/**
 * Stands in for an inference server with thousands of open streams, on bare sockets. The test says what it
 * sends, and when.
 */
import { type AddressInfo, createServer, type Socket } from "node:net";

export type StreamServer = Disposable & {
  readonly port: number;
  /** How many connections have a request without a complete answer. */
  readonly open: () => number;
  /** Sends a piece on every open stream. */
  readonly sendAll: (text: string) => void;
  readonly endAll: () => void;
};

const HEAD =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

export function startStreamServer(model = "m"): StreamServer {
  const models = JSON.stringify({ object: "list", data: [{ id: model }] });
  const streams = new Set<Socket>();
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("close", () => streams.delete(socket));
    socket.on("data", (bytes) => {
      if (bytes.includes("GET /v1/models")) {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${models.length}\r\n\r\n${models}`);
      } else if (bytes.includes("POST ")) {
        socket.write(HEAD);
        streams.add(socket);
      }
    });
  });
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 });
  return {
    port: (server.address() as AddressInfo).port,
    open: () => streams.size,
    sendAll: (text) => {
      const chunk = `${text.length.toString(16)}\r\n${text}\r\n`;
      for (const socket of streams) socket.write(chunk);
    },
    endAll: () => {
      for (const socket of streams) socket.write("0\r\n\r\n");
      streams.clear();
    },
    [Symbol.dispose]: () => {
      for (const socket of streams) socket.destroy();
      server.close();
    },
  };
}
