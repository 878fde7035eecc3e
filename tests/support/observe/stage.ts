/**
 * The compiled proxy with metrics, and two replicas on a fake engine: one has vLLM's metrics, the other
 * SGLang's.
 */
import { untilModels } from "../client/requests.ts";
import { envOf, FakeEngine } from "../engine/fake.ts";
import type { FakeContainer } from "../engine/replies.ts";
import { type CompiledProxy, startCompiled } from "../proxy/compiled.ts";
import type { EngineKind } from "../server/inference-server/engine-metrics.ts";
import { createService } from "../server/inference-server/handler.ts";
import { readSettings } from "../server/inference-server/settings.ts";

export const MODEL = "org/model-1";
/** The names of the containers. */
export const SERVERS: Readonly<Record<EngineKind, string>> = {
  vllm: "vllm-1",
  sglang: "sglang-1",
};

export type ObservedStage = AsyncDisposable & {
  readonly engine: FakeEngine;
  readonly proxy: CompiledProxy;
  /** `host:port` of the proxy. */
  readonly address: string;
  /** As with `docker stop`. The server still finishes its open requests. */
  readonly stopContainer: (kind: EngineKind) => void;
  /** As with `docker start`. The container is healthy at once. */
  readonly startContainer: (kind: EngineKind) => void;
  /** Makes a server answer every POST with this status. 200 means normal answers. */
  readonly refuse: (kind: EngineKind, status: number) => Promise<void>;
};

/** Low enough that some requests of a dozen clients must wait. */
const MAX_IN_FLIGHT = "2";

export async function startObservedStage(): Promise<ObservedStage> {
  await using stack = new AsyncDisposableStack();
  const engine = stack.use(await new FakeEngine().start());
  const containers = new Map<EngineKind, FakeContainer>();
  const origins = new Map<EngineKind, URL>();
  for (const kind of ["vllm", "sglang"] as const) {
    const settings = readSettings({
      ...{ MODELS: MODEL, NAME: SERVERS[kind], METRICS: kind },
      ...{ TOKENS: "8", TOKEN_DELAY_MS: "5", REALTIME_UPGRADE: "take" },
    });
    const server = stack.use(Bun.serve({ port: 0, ...createService(settings) }));
    const labels = {
      ...{ "inference.enable": "true", "inference.port": String(server.port) },
      ...{ "inference.replica": "true", "inference.max_in_flight": MAX_IN_FLIGHT },
    };
    containers.set(kind, engine.add({ name: SERVERS[kind], labels }));
    origins.set(kind, server.url);
  }
  const env = { ...envOf(engine), PROXY_METRICS: "true", PROXY_WAIT_TIMEOUT: "10s" };
  const proxy = stack.use(await startCompiled({ env }));
  await untilModels(proxy.origin, [MODEL]);
  const started = stack.move();
  const get = <T>(map: ReadonlyMap<EngineKind, T>, kind: EngineKind): T => map.get(kind)!;
  return {
    engine,
    proxy,
    address: `127.0.0.1:${proxy.port}`,
    stopContainer: (kind) => {
      engine.kill(get(containers, kind));
      engine.exit(get(containers, kind));
    },
    startContainer: (kind) => {
      engine.startAgain(get(containers, kind));
      engine.setHealth(get(containers, kind), "healthy");
    },
    refuse: async (kind, status) => {
      await fetch(new URL(`/admin/refuse?status=${status}`, get(origins, kind)));
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}
