/** Both ends of one WebSocket through the proxy, on bare sockets. They answer nothing by themselves. */
import { type RawConnection, rawConnect, rawServer } from "../client/raw-http.ts";
import { ENDLESS, startProxyTo } from "../proxy/in-process.ts";
import { untilStill } from "./flow.ts";
import { masked, OPCODE } from "./frames.ts";
import { handshakeRequest, switchingProtocols } from "./handshake.ts";

type Proxy = ReturnType<typeof startProxyTo>;

export type RawPair = Disposable & {
  readonly proxy: Proxy;
  readonly client: RawConnection;
  readonly server: RawConnection;
};

export async function openRawPair(init: Parameters<typeof startProxyTo>[1] = {}): Promise<RawPair> {
  using stack = new DisposableStack();
  const listening = stack.use(await rawServer());
  const proxy = stack.use(startProxyTo(listening.origin, { patience: ENDLESS, ...init }));
  const client = stack.use(await rawConnect(proxy.port));
  client.send(handshakeRequest());
  const server = await listening.request();
  const key = /sec-websocket-key: (\S+)/i.exec(server.received())?.[1];
  server.send(switchingProtocols(key));
  await client.waitFor("\r\n\r\n");
  const opened = stack.move();
  return { proxy, client, server, [Symbol.dispose]: () => opened.dispose() };
}

/**
 * Both ends of a WebSocket whose client has vanished. Much of its data still waits for a server that does not
 * read.
 */
export async function vanished(): Promise<RawPair> {
  const pair = await openRawPair();
  const { client, server } = pair;
  server.pause();
  const message = masked({ opcode: OPCODE.binary, payload: Buffer.alloc(60_000) });
  client.send(message.toString("latin1").repeat(400));
  await untilStill("the socket takes no more", client.unsent);
  client.reset();
  return pair;
}

/** Only the client's end. It answers nothing by itself. */
export async function openRaw(port: number): Promise<RawConnection> {
  const client = await rawConnect(port);
  client.send(handshakeRequest());
  await client.waitFor("\r\n\r\n");
  return client;
}
