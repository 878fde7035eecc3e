/**
 * WebSockets through the compiled binary while a fake engine reports the
 * state of their container late, wrongly, or not at all.
 */
import { describe, expect, test } from "bun:test";
import { untilModels } from "../../support/client/requests.ts";
import { type Conversation, converse } from "../../support/client/websocket.ts";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import type { FakeContainer } from "../../support/engine/replies.ts";
import { type CompiledProxy, startCompiled } from "../../support/proxy/compiled.ts";
import { untilShown } from "../../support/proxy/shown-status.ts";
import {
  startWebSocketServer,
  type WebSocketServer,
} from "../../support/server/websocket-server.ts";
import { expectNever, until } from "../../support/until.ts";

const NAME = "vllm";

/** A routed container with one WebSocket. */
class Stage implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly fake: FakeEngine;
  readonly server: WebSocketServer;
  readonly container: FakeContainer;
  readonly proxy: CompiledProxy;
  readonly client: Conversation;

  private constructor(
    parts: Pick<Stage, "fake" | "server" | "container" | "proxy" | "client">,
    stack: AsyncDisposableStack,
  ) {
    ({ fake: this.fake, server: this.server, container: this.container } = parts);
    ({ proxy: this.proxy, client: this.client } = parts);
    this.#stack = stack;
  }

  static async start(): Promise<Stage> {
    await using stack = new AsyncDisposableStack();
    const fake = stack.use(await new FakeEngine().start());
    const refuses = ({ url }: Request): Response | undefined =>
      url.endsWith("/v1/models") ? Response.json({ data: [{ id: "m" }] }) : undefined;
    const server = stack.use(startWebSocketServer({ refuses }));
    const container = fake.add({ port: Number(new URL(server.origin).port), name: NAME });
    const env = { ...envOf(fake), PROXY_DRAIN_TIMEOUT: "500ms" };
    const proxy = stack.use(await startCompiled({ env }));
    await untilModels(proxy.origin, ["m"]);
    const client = await converse(`${proxy.origin}/v1/realtime?model=m`);
    return new Stage({ fake, server, container, proxy, client }, stack.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  /** The server's process dies, and the engine has not reported it yet. */
  breakOff(): void {
    for (const socket of this.server.open) socket.terminate();
  }

  /** The server echoes every message. */
  async echo(): Promise<void> {
    const { socket, messages, untilMessages } = this.client;
    socket.send("still there");
    await untilMessages(messages.length + 1);
  }
}

describe("A WebSocket whose server breaks off", () => {
  test("gets 1011 with the reason when the engine reports the end a moment later", async () => {
    await using stage = await Stage.start();
    stage.breakOff();
    await untilShown(stage.proxy.origin, NAME, { state: "routed", in_flight: 0 });
    stage.fake.exit(stage.container, 137);
    expect(await stage.client.closed()).toEqual({ code: 1011, reason: "the server was killed" });
  });

  test("ends abruptly when the container keeps running", async () => {
    await using stage = await Stage.start();
    stage.breakOff();
    expect((await stage.client.closed()).code).toBe(1006);
    await until("the log reports it", () => stage.proxy.logged("its container still seems to run"));
    await untilShown(stage.proxy.origin, NAME, { state: "routed", in_flight: 0 });
  });
});

test("A container that has ended although its connection is still open: 1011 within 5 s", async () => {
  await using stage = await Stage.start();
  const startMs = performance.now();
  stage.fake.exit(stage.container, 3);
  const close = { code: 1011, reason: "the server exited with code 3" };
  expect(await stage.client.closed()).toEqual(close);
  expect(performance.now() - startMs).toBeLessThan(5_000);
  await untilShown(stage.proxy.origin, NAME, { state: "stopped" });
});

test("An engine that goes away and comes back ends no WebSocket", async () => {
  await using stage = await Stage.start();
  stage.fake.stop();
  await until("the proxy notices that the engine is gone", () =>
    stage.proxy.logged("no such socket"),
  );
  await stage.echo();
  await stage.fake.start();
  await untilShown(stage.proxy.origin, NAME, { state: "routed", in_flight: 1 });
  await stage.echo();
});

test("A signal other than a stop ends no WebSocket; after a stop a WebSocket has PROXY_DRAIN_TIMEOUT", async () => {
  await using stage = await Stage.start();
  stage.fake.kill(stage.container, 1);
  const isStopped = (): boolean => stage.server.closes.length > 0;
  await expectNever("the WebSocket is cut", isStopped, 700);
  stage.fake.kill(stage.container);
  await untilShown(stage.proxy.origin, NAME, { state: "stopping", in_flight: 1 });
  await stage.echo();
  expect((await stage.client.closed()).code).toBe(1012);
  await until("the server sees the end", isStopped);
  expect(stage.server.closes[0]?.code).toBe(1001);
});
