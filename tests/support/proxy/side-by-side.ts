/** Two compiled proxies on one fake engine, like two containers behind one front proxy. */
import { envOf, FakeEngine } from "../engine/fake.ts";
import type { FakeContainer } from "../engine/replies.ts";
import { createService } from "../server/inference-server/handler.ts";
import { readSettings } from "../server/inference-server/settings.ts";
import { until } from "../until.ts";
import { type CompiledProxy, startCompiled } from "./compiled.ts";
import { untilShown } from "./shown-status.ts";

type Pair = readonly [CompiledProxy, CompiledProxy];

export class SideBySide implements AsyncDisposable {
  readonly engine: FakeEngine;
  readonly proxies: Pair;
  readonly #stack: AsyncDisposableStack;

  private constructor(engine: FakeEngine, proxies: Pair, stack: AsyncDisposableStack) {
    this.engine = engine;
    this.proxies = proxies;
    this.#stack = stack;
  }

  /** Resolves when both are ready. @param env environment variables of both */
  static async start(env: Readonly<Record<string, string>> = {}): Promise<SideBySide> {
    await using stack = new AsyncDisposableStack();
    const engine = stack.use(await new FakeEngine().start());
    const start = async (): Promise<CompiledProxy> => {
      const proxy = stack.use(await startCompiled({ env: { ...envOf(engine), ...env } }));
      await until("the proxy is ready", async () => {
        const { status } = await fetch(`${proxy.origin}/readyz`, { keepalive: false });
        return status === 200;
      });
      return proxy;
    };
    return new SideBySide(engine, await Promise.all([start(), start()]), stack.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  /** Adds a labelled container at this port, healthy by default. Sends no event. */
  add(port: number, init: Partial<FakeContainer> = {}): FakeContainer {
    const labels = { "inference.enable": "true", "inference.port": String(port), ...init.labels };
    return this.engine.add({ ...init, labels });
  }

  /** Adds a container with the model `m` that is still starting, not healthy yet. */
  addServer(name: string, labels: Readonly<Record<string, string>> = {}): FakeContainer {
    const settings = readSettings({ NAME: name, MODELS: "m" });
    const { fetch, websocket } = createService(settings);
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, fetch, websocket });
    this.#stack.defer(() => server.stop(true));
    const startedAtMs = this.engine.nowMs();
    const container = this.add(server.port ?? 0, { name, labels, health: "starting", startedAtMs });
    this.engine.emit(container, "start");
    return container;
  }

  /** Calls the function `apartMs` for both proxies. */
  apartMs(what: string, holds: (proxy: CompiledProxy) => Promise<boolean>): Promise<number> {
    return apartMs(this.proxies, what, holds);
  }

  /** Waits until both proxies show this status. @param expected see `untilShown` */
  async untilBothShow(name: string, expected: Readonly<Record<string, unknown>>): Promise<void> {
    await Promise.all(this.proxies.map(({ origin }) => untilShown(origin, name, expected)));
  }
}

/** @returns the time in ms between the moments when the condition first holds for each proxy */
export async function apartMs(
  proxies: Pair,
  what: string,
  holds: (proxy: CompiledProxy) => Promise<boolean>,
): Promise<number> {
  const at = proxies.map(async (proxy) => {
    await until(what, () => holds(proxy), 20_000);
    return performance.now();
  });
  const [first = 0, second = 0] = await Promise.all(at);
  return Math.abs(first - second);
}
