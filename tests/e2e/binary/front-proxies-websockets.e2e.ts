/**
 * WebSockets through the compiled binary behind nginx, HAProxy and Caddy, with the settings of
 * docs/front-proxies.md: client → front proxy → our proxy → server. The client and the server are bare sockets.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import {
  FRONT_PROXIES,
  type FrontProxyName,
  installFrontProxies,
  isInstalled,
  startFrontProxy,
} from "../../support/front-proxies/programs.ts";
import { until } from "../../support/until.ts";
import { startCompiledWires } from "../../support/websocket/compiled-wires.ts";
import {
  type Listener,
  openWire,
  type WireServer,
  type WireSocket,
} from "../../support/websocket/wire.ts";
import { BINARY, CLOSE, PING, PONG, TEXT } from "../../support/websocket/wire-frames.ts";

const CAN_RUN = isInstalled() || process.env["TEST_ENGINE"] === "install";
const NAMES = (Object.keys(FRONT_PROXIES) as FrontProxyName[]).filter(
  (name) => name !== "nginx, HTTP/1.0", // HTTP/1.0 has no WebSockets
);
type Chain = AsyncDisposable & { readonly port: number; readonly server: WireServer };

async function startChain(name: FrontProxyName, listener: Listener = {}): Promise<Chain> {
  await using stack = new AsyncDisposableStack();
  const { proxy, server } = stack.use(await startCompiledWires(listener));
  const { port } = stack.use(await startFrontProxy(name, proxy.port));
  const started = stack.move();
  return { port, server, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

async function serverEnd({ server }: Chain, nth = 0): Promise<WireSocket> {
  await until("the server's end is open", () => server.sockets.length > nth);
  return server.sockets[nth]!;
}

/** Answers a Close frame with the same frame, and pings with pongs. */
const polite: Listener["frame"] = (socket, opcode, payload) => {
  if (opcode === CLOSE) socket.send(CLOSE, payload);
  if (opcode === PING) socket.send(PONG, payload);
};

describe.skipIf(!CAN_RUN).each(NAMES)("behind %s", (name) => {
  beforeAll(async () => {
    if (!isInstalled()) await installFrontProxies();
  }, 300_000);

  test("messages pass both ways, each before the next is sent", async () => {
    let came = "";
    const piece: Listener["piece"] = (_, bytes) => {
      came += bytes.toString();
    };
    await using chain = await startChain(name, { piece });
    using client = await openWire(chain.port, { piece });
    const server = await serverEnd(chain);
    for (let n = 0; n < 5; n += 1) {
      client.send(TEXT, `{"type":"input_audio_buffer.append","n":${n}}`);
      await until("the server has the message", () => server.messages === n + 1);
      server.send(BINARY, `delta ${n}`);
      await until("the client has the answer", () => client.messages === n + 1);
      expect(came).toBe(`{"type":"input_audio_buffer.append","n":${n}}delta ${n}`);
      came = "";
    }
    server.send(BINARY, Buffer.alloc(10_000_000));
    await until("the client has the long message", () => client.messages === 6);
    expect(client.bytes).toBe(5 * "delta 0".length + 10_000_000);
  });

  test("close codes and reasons pass both ways, and an abrupt end stays abrupt", async () => {
    await using chain = await startChain(name, { frame: polite });
    using leaving = await openWire(chain.port);
    leaving.close(4001, "enough");
    const left = await serverEnd(chain);
    await until("the server has the Close frame", () => left.closeCode !== undefined);
    expect([left.closeCode, left.closeReason]).toEqual([4001, "enough"]);

    using told = await openWire(chain.port, { frame: polite });
    (await serverEnd(chain, 1)).close(1008, "no such session");
    await until("the client has the Close frame", () => told.closeCode !== undefined);
    expect([told.closeCode, told.closeReason]).toEqual([1008, "no such session"]);

    using cut = await openWire(chain.port);
    (await serverEnd(chain, 2)).reset();
    await until("the client's connection ends", () => cut.closed);
    expect(cut.closeCode).toBeUndefined();

    const vanishing = await openWire(chain.port);
    const lost = await serverEnd(chain, 3);
    vanishing.reset();
    await until("the server's connection ends", () => lost.closed);
    expect(lost.closeCode).toBeUndefined();
  });
});
