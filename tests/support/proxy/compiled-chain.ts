/** The compiled binary in front of a fake engine with one server. The test writes every byte of that server. */

import { type RawServer, rawServer, serveModel } from "../client/raw-http.ts";
import { untilModels } from "../client/requests.ts";
import { envOf, FakeEngine } from "../engine/fake.ts";
import type { FakeContainer } from "../engine/replies.ts";
import { type CompiledProxy, startCompiled } from "./compiled.ts";

export type CompiledChain = AsyncDisposable & {
  readonly engine: FakeEngine;
  /** The server's container. */
  readonly container: FakeContainer;
  readonly proxy: CompiledProxy;
  readonly upstream: RawServer;
};

/** Resolves when the proxy lists the server's model `m`. Connection 0 was for that list. */
export async function startCompiledChain(): Promise<CompiledChain> {
  await using stack = new AsyncDisposableStack();
  const engine = stack.use(await new FakeEngine().start());
  const upstream = stack.use(await rawServer());
  const container = engine.add({ port: upstream.port });
  const proxy = stack.use(await startCompiled({ env: envOf(engine) }));
  await serveModel(upstream);
  await untilModels(proxy.origin, ["m"]);
  const started = stack.move();
  return {
    engine,
    container,
    proxy,
    upstream,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}
