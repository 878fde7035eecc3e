/**
 * Keep-alive pings through the compiled binary and directly. Servers ping their clients and close the
 * connection when a client does not answer, as uvicorn does (every 20 s, with 20 s to answer). Clients ping
 * their servers.
 */
import { describe, expect, test } from "bun:test";
import { until } from "../support/until.ts";
import { startCompiledWires } from "../support/websocket/compiled-wires.ts";
import {
  type Listener,
  openWire,
  startWireServer,
  type WireServer,
} from "../support/websocket/wire.ts";
import { PING, PONG } from "../support/websocket/wire-frames.ts";

/** The time from one ping to the next, and the time to answer. */
const PING_MS = 150;

type Chain = AsyncDisposable & { readonly port: number; readonly server: WireServer };

async function directly(listener: Listener): Promise<Chain> {
  const server = startWireServer(listener);
  return { server, port: server.port, [Symbol.asyncDispose]: async () => server[Symbol.dispose]() };
}

async function through(listener: Listener): Promise<Chain> {
  const { server, proxy, [Symbol.asyncDispose]: dispose } = await startCompiledWires(listener);
  return { server, port: proxy.port, [Symbol.asyncDispose]: dispose };
}

/**
 * Counts pongs with the right payload.
 * Closes the connection of a client that has not answered when the next ping is due.
 */
class Keepalive implements Disposable {
  answered = 0;
  #timer: Timer | undefined;
  #sent = 0;
  readonly listener: Listener = {
    frame: (_, opcode, payload) => {
      if (opcode === PONG && payload.toString() === `ping ${this.#sent}`) this.answered += 1;
    },
  };

  start(server: WireServer): void {
    this.#timer = setInterval(() => {
      const [client] = server.sockets;
      if (client === undefined || client.closed) return;
      if (this.answered < this.#sent) {
        client.close(1011, "keepalive ping timeout");
        client.end();
        return;
      }
      this.#sent += 1;
      client.send(PING, `ping ${this.#sent}`);
    }, PING_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

describe.each([
  ["directly", directly],
  ["through the proxy", through],
])("%s", (way, startChain) => {
  test("a client that answers its server's pings stays connected, and the server gets its own payloads back", async () => {
    using keepalive = new Keepalive();
    await using chain = await startChain(keepalive.listener);
    using client = await openWire(chain.port, {
      frame: (socket, opcode, payload) => {
        if (opcode === PING) socket.send(PONG, payload);
      },
    });
    keepalive.start(chain.server);
    await until("the client has answered ten pings", () => keepalive.answered === 10);
    expect(client.closed).toBe(false);
  });

  test("the server closes the connection of a client that never answers pings", async () => {
    using keepalive = new Keepalive();
    await using chain = await startChain(keepalive.listener);
    using client = await openWire(chain.port);
    keepalive.start(chain.server);
    await until("the client gets the Close frame", () => client.closeCode !== undefined);
    expect([client.closeCode, client.closeReason]).toEqual([1011, "keepalive ping timeout"]);
    expect(keepalive.answered).toBe(0);
  });

  test(`a client's ping of a server that never answers gets ${way === "directly" ? "no answer" : "an answer from the proxy, as docs/limits.md says"}`, async () => {
    const pings: string[] = [];
    const pongs: string[] = [];
    await using chain = await startChain({
      frame: (_, opcode, payload) => {
        if (opcode === PING) pings.push(payload.toString());
      },
    });
    using client = await openWire(chain.port, {
      frame: (_, opcode, payload) => {
        if (opcode === PONG) pongs.push(payload.toString());
      },
    });
    client.send(PING, "are you there");
    await until("the server has the ping", () => pings.length > 0);
    if (way === "through the proxy") await until("the client has the pong", () => pongs.length > 0);
    expect(pings).toEqual(["are you there"]);
    expect(pongs).toEqual(way === "directly" ? [] : ["are you there"]);
  });
});
