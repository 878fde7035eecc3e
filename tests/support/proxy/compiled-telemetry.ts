/** The compiled binary with a collector, in front of one server on a fake engine. */

import { untilModels } from "../client/requests.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../collector/receiver.ts";
import { envOf, FakeEngine } from "../engine/fake.ts";
import { type FakeBackend, fakeBackend } from "../server/scripted.ts";
import { type CompiledProxy, startCompiled } from "./compiled.ts";

export type CompiledTelemetry = AsyncDisposable & {
  readonly receiver: OtlpReceiver;
  readonly backend: FakeBackend;
  readonly proxy: CompiledProxy;
  /** @returns the exit code, when the proxy has sent or given up everything in its queue */
  readonly stop: () => Promise<number>;
};

type Environment = Readonly<Record<string, string>>;

/** The answer of a server with the model `m`. */
type Answer = Parameters<typeof fakeBackend>[0];

/**
 * @param env environment variables besides the engine, made from the collector's address
 * @param binary a binary from another tree than this one
 */
export async function startCompiledTelemetry(
  env: (origin: string) => Environment = (origin) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: origin }),
  answer: Answer = () => Response.json({ usage: { prompt_tokens: 3, completion_tokens: 5 } }),
  binary?: string,
): Promise<CompiledTelemetry> {
  const receiver = startOtlpReceiver();
  const backend = fakeBackend((request) =>
    request.target.endsWith("/models") ? Response.json({ data: [{ id: "m" }] }) : answer(request),
  );
  const engine = await new FakeEngine().start();
  engine.add({ name: "server-1", port: Number(new URL(backend.origin).port) });
  const proxy = await startCompiled({
    env: { ...envOf(engine), ...env(receiver.origin) },
    ...(binary !== undefined && { binary }),
  });
  await untilModels(proxy.origin, ["m"]);
  return {
    receiver,
    backend,
    proxy,
    stop: () => {
      proxy.kill("SIGTERM");
      return proxy.exited;
    },
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      for (const part of [engine, backend, receiver]) part[Symbol.dispose]();
    },
  };
}
