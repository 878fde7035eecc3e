/** Reading a backend's models until it succeeds, beside everything else. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Model } from "../routing/backend.ts";

/** A loading server answers 503 for minutes: ask again, and again, but not all the time. */
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 5_000;

export type ModelReadingInit = {
  readonly read: (signal: AbortSignal) => Promise<readonly Model[]>;
  readonly onRead: (models: readonly Model[]) => void;
  /** Called once for each reason, not for each try. */
  readonly onFailed: (reason: string) => void;
  /** Awaited between a read that succeeded and `onRead`. */
  readonly settled: () => Promise<void>;
};

export class ModelReading {
  readonly #controller = new AbortController();
  /** Resolves when the first try has ended, well or not. */
  readonly firstTry: Promise<void>;

  constructor(init: ModelReadingInit) {
    const firstTry = Promise.withResolvers<void>();
    this.firstTry = firstTry.promise;
    void this.#run(init, firstTry.resolve).finally(firstTry.resolve);
  }

  /** Nothing is called back after this. */
  stop(): void {
    this.#controller.abort();
  }

  async #run(init: ModelReadingInit, tried: () => void): Promise<void> {
    const { signal } = this.#controller;
    let lastReason = "";
    for (let pauseMs = RETRY_FIRST_MS; ; pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS)) {
      const outcome = await attempt(init, signal);
      if (signal.aborted) return;
      if (outcome.kind === "read") return init.onRead(outcome.models);
      if (outcome.reason !== lastReason) init.onFailed(outcome.reason);
      lastReason = outcome.reason;
      tried();
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
    }
  }
}

type Outcome =
  | { readonly kind: "read"; readonly models: readonly Model[] }
  | { readonly kind: "failed"; readonly reason: string };

async function attempt(init: ModelReadingInit, signal: AbortSignal): Promise<Outcome> {
  try {
    const models = await init.read(signal);
    await init.settled();
    return { kind: "read", models };
  } catch (error) {
    return { kind: "failed", reason: error instanceof Error ? error.message : String(error) };
  }
}
