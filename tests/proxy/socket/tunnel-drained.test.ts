/** WebSockets whose time is up while their server goes on: its container was taken out by hand. */
import { expect, test } from "bun:test";
import type { Backend } from "../../../src/routing/backend.ts";
import { startProxy } from "../../support/proxy/in-process.ts";
import { makeBackend } from "../../support/server/backends.ts";
import { until, within } from "../../support/until.ts";

type Close = { readonly code: number; readonly reason: string };

const RESTARTED: Close = { code: 1012, reason: "being stopped or replaced: connect again" };

/** A server with WebSockets behind the proxy, and one client. */
class Rig implements Disposable {
  readonly #stack = new DisposableStack();
  readonly backend: Backend;
  readonly #opened = Promise.withResolvers<void>();
  readonly client: WebSocket;
  readonly clientClose: Promise<Close>;
  readonly serverCloses: number[] = [];
  handshakes = 0;

  constructor() {
    const server = Bun.serve({
      port: 0,
      fetch: async (request, self) => {
        this.handshakes += 1;
        await this.#opened.promise;
        self.upgrade(request, { headers: { "sec-websocket-protocol": "" } });
      },
      websocket: {
        message: (socket, message) => void socket.send(message),
        close: (_socket, code) => void this.serverCloses.push(code),
      },
    });
    this.#stack.defer(() => void server.stop(true));
    this.backend = makeBackend({ origin: `http://127.0.0.1:${server.port}` });
    const proxy = this.#stack.use(startProxy({ backends: [this.backend] }));
    this.client = new WebSocket(`${proxy.origin.replace("http", "ws")}/v1/realtime`);
    this.#stack.defer(() => this.client.terminate());
    this.clientClose = new Promise((resolve) => {
      this.client.onclose = ({ code, reason }) => resolve({ code, reason });
    });
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }

  answerHandshakes(): void {
    this.#opened.resolve();
  }
}

test("A WebSocket gets 1012, its server 1001, and its lease ends", async () => {
  using rig = new Rig();
  rig.answerHandshakes();
  await until("it is open", () => rig.client.readyState === WebSocket.OPEN);
  rig.backend.drain();
  expect(rig.backend.endEndless()).toBe(1);
  expect(await within("its end", rig.clientClose)).toEqual(RESTARTED);
  await until("the server hears of it", () => rig.serverCloses.length > 0);
  expect([rig.serverCloses, rig.backend.inFlight]).toEqual([[1001], 0]);
});

test("A handshake that the server answers only then: the same", async () => {
  using rig = new Rig();
  await until("it is pending", () => rig.handshakes > 0);
  rig.backend.drain();
  expect(rig.backend.endEndless()).toBe(0);
  rig.answerHandshakes();
  expect(await within("its end", rig.clientClose)).toEqual(RESTARTED);
  await until("the server hears of it", () => rig.serverCloses.length > 0);
  expect([rig.serverCloses, rig.backend.inFlight]).toEqual([[1001], 0]);
});
