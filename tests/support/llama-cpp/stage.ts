/** The compiled proxy in front of containers of the real llama.cpp, for the tests of one file. */
import { afterAll, beforeAll, setDefaultTimeout } from "bun:test";
import { removeLeftovers, removeServers, type Server, startProxy } from "../engine/real.ts";
import type { CompiledProxy } from "../proxy/compiled.ts";
import { until } from "../until.ts";
import { type Kind, MODELS, startLlama } from "./containers.ts";
import { buildLlamaImage } from "./image.ts";

/**
 * Starts the stage before the first test of the file, and ends it after the last one. Call this at the top of
 * the file. Use the result only inside of tests.
 */
export function useLlamaStage<Name extends Kind>(...kinds: readonly Name[]): Stage<Name> {
  let stage: (Stage<Name> & AsyncDisposable) | undefined;
  setDefaultTimeout(60_000);
  beforeAll(async () => {
    stage = await startStage(kinds);
  }, 240_000);
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]();
  }, 60_000);
  const started = (): Stage<Name> => {
    if (stage === undefined) throw new Error("Cannot use the stage outside of a test");
    return stage;
  };
  return {
    get proxy() {
      return started().proxy;
    },
    get origin() {
      return started().origin;
    },
    get servers() {
      return started().servers;
    },
  };
}

type Stage<Name extends Kind> = {
  readonly proxy: CompiledProxy;
  readonly origin: string;
  readonly servers: Readonly<Record<Name, Server>>;
};

/** The proxy, and one container of each kind. Resolves when the proxy lists all their models. */
async function startStage<Name extends Kind>(
  kinds: readonly Name[],
): Promise<Stage<Name> & AsyncDisposable> {
  await removeLeftovers();
  await buildLlamaImage();
  await using stack = new AsyncDisposableStack();
  stack.defer(removeServers);
  const servers = await Promise.all(kinds.map(async (kind) => [kind, await startLlama(kind)]));
  const proxy = stack.use(await startProxy());
  await untilListed(
    proxy.origin,
    kinds.flatMap((kind) => MODELS[kind]),
  );
  const started = stack.move();
  return {
    proxy,
    origin: proxy.origin,
    servers: Object.fromEntries(servers) as Record<Name, Server>,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** Waits until the proxy lists all these models. It may list others too. */
export async function untilListed(
  origin: string,
  models: readonly string[],
  boundMs = 30_000,
): Promise<void> {
  const areListed = async (): Promise<boolean> => {
    const response = await fetch(`${origin}/v1/models`, { keepalive: false });
    const { data } = (await response.json()) as { readonly data: readonly { id: string }[] };
    return models.every((model) => data.some(({ id }) => id === model));
  };
  await until(`${models.join(", ")} are listed`, areListed, boundMs);
}
