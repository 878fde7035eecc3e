/**
 * Relays every byte between a client and the proxy at once, and records the requests and their answers. After
 * a 101 the bytes are not HTTP, so it does not parse them.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { parseMessage } from "../client/http-message.ts";
import { within } from "../until.ts";

export type Exchange = {
  /** For example `GET /v1/models?limit=1000`. */
  readonly request: string;
  /** When the request was complete, in ms since the relay started. */
  readonly atMs: number;
  /** Undefined until the answer is complete. */
  status: number | undefined;
};

export type Relay = Disposable & {
  readonly port: number;
  /** The exchanges of all connections, in the order of the requests. */
  readonly exchanges: readonly Exchange[];
};

export async function startRelay(toPort: number): Promise<Relay> {
  const exchanges: Exchange[] = [];
  const sockets: Socket[] = [];
  const startMs = performance.now();
  const server = createServer((client) => {
    const proxy = connect(toPort, "127.0.0.1");
    sockets.push(client, proxy);
    const answered: Exchange[] = [];
    let isUpgraded = false;
    passOn(client, proxy, (bytes) => {
      if (isUpgraded) return bytes.length;
      const message = parseMessage(bytes);
      if (message === undefined) return 0;
      const request = message.start.replace(/ HTTP\/1\.1$/, "");
      const exchange = { request, atMs: performance.now() - startMs, status: undefined };
      exchanges.push(exchange);
      answered.push(exchange);
      return message.length;
    });
    passOn(proxy, client, (bytes) => {
      if (isUpgraded) return bytes.length;
      const [exchange] = answered;
      const length = lengthOfAnswer(bytes, exchange?.request.startsWith("HEAD ") === true);
      if (exchange === undefined || length === 0) return 0;
      exchange.status = Number(bytes.toString("latin1", 9, 12));
      isUpgraded = exchange.status === 101;
      answered.shift();
      return length;
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await within("a port", listening.promise);
  return {
    port: (server.address() as AddressInfo).port,
    exchanges,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** @param take gets the bytes that it has not taken yet, and returns how many it takes: 0 if it needs more */
function passOn(from: Socket, to: Socket, take: (bytes: Buffer) => number): void {
  let rest: Buffer = Buffer.alloc(0);
  from.on("data", (bytes: Buffer) => {
    to.write(bytes);
    rest = Buffer.concat([rest, bytes]);
    for (let taken = take(rest); taken > 0; taken = take(rest)) rest = rest.subarray(taken);
  });
  from.on("end", () => to.end());
  from.on("error", () => to.destroy());
}

/** @returns 0 if the answer is incomplete */
function lengthOfAnswer(bytes: Buffer, hasNoBody: boolean): number {
  if (!hasNoBody) return parseMessage(bytes)?.length ?? 0;
  const headEnd = bytes.indexOf("\r\n\r\n");
  return headEnd === -1 ? 0 : headEnd + 4;
}
