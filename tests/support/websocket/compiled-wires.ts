/** The compiled binary in front of a fake engine with one WebSocket server. */
import { untilModels } from "../client/requests.ts";
import { envOf, FakeEngine } from "../engine/fake.ts";
import { type CompiledProxy, startCompiled } from "../proxy/compiled.ts";
import { type Listener, startWireServer, type WireServer } from "./wire.ts";

export type CompiledWires = AsyncDisposable & {
  readonly proxy: CompiledProxy;
  readonly server: WireServer;
};

/** Resolves when the proxy lists the server's model `m`. */
export async function startCompiledWires(listener: Listener = {}): Promise<CompiledWires> {
  await using stack = new AsyncDisposableStack();
  const engine = stack.use(await new FakeEngine().start());
  const server = stack.use(startWireServer(listener));
  engine.add({ port: server.port });
  const proxy = stack.use(await startCompiled({ env: envOf(engine) }));
  await untilModels(proxy.origin, ["m"]);
  const started = stack.move();
  return { proxy, server, [Symbol.asyncDispose]: () => started.disposeAsync() };
}
