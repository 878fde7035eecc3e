/**
 * The compiled binary under attack, in front of a fake engine. Measures whether it still serves the other
 * clients.
 */
import { brotliCompressSync, constants } from "node:zlib";
import { envOf, FakeEngine } from "../engine/fake.ts";
import { residentMib, watchResident } from "../process/figures.ts";
import { type CompiledProxy, startCompiled } from "./compiled.ts";

export type Attacked = AsyncDisposable & {
  readonly engine: FakeEngine;
  readonly proxy: CompiledProxy;
  /** Starts a container on the engine: like `FakeEngine.add`, plus the event. */
  readonly run: FakeEngine["add"];
};

export async function startAttacked(env: Readonly<Record<string, string>> = {}): Promise<Attacked> {
  const engine = await new FakeEngine().start();
  const proxy = await startCompiled({ env: { ...envOf(engine), ...env } });
  return {
    engine,
    proxy,
    run: (init) => {
      const container = engine.add(init);
      engine.emit(container, "start");
      return container;
    },
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      engine[Symbol.dispose]();
    },
  };
}

/** How an attack affected the other clients. */
export type Harm = {
  /** The longest wait for an answer that the proxy has in memory, in ms. */
  readonly longestMs: number;
  /** The peak growth of resident memory, in MiB. */
  readonly grewMib: number;
};

/** Requests `/healthz` during the whole attack. */
export async function harmOf(proxy: CompiledProxy, attack: () => Promise<void>): Promise<Harm> {
  const restMib = residentMib(proxy.pid);
  const memory = watchResident(proxy.pid);
  let longestMs = 0;
  let isOver = false;
  let mostMib = restMib;
  const asking = (async () => {
    while (!isOver) {
      const startMs = performance.now();
      await (await fetch(`${proxy.origin}/healthz`)).text();
      longestMs = Math.max(longestMs, performance.now() - startMs);
      await Bun.sleep(5); // the client's pace
    }
  })();
  try {
    await attack();
  } finally {
    isOver = true;
    await asking.finally(() => {
      mostMib = memory.stop();
    });
  }
  return { longestMs, grewMib: mostMib - restMib };
}

/** A model list of this many MiB, compressed to a few kB of brotli. */
export function brotliBomb(mib: number): Uint8Array<ArrayBuffer> {
  const list = Buffer.alloc(mib * 1024 * 1024, " ");
  list.write('{"data":[{"id":"bomb"}]}');
  const params = { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_LGWIN]: 24 };
  return new Uint8Array(brotliCompressSync(list, { params }));
}
