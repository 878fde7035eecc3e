/**
 * Reading a backend's models for as long as it is to be routed, beside everything else: again and
 * again until it succeeds, from then on every so often and when asked to. Reads never overlap.
 */
import type { Model } from "../routing/backend.ts";
import { coalesce } from "./loop.ts";

/** A loading server answers 503 for minutes: ask again, and again, but not all the time. */
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 5_000;
/** LoRA adapters and pulled models come and go while a server runs. */
export const REREAD_MS = 60_000;

export type ModelReadingInit = {
  readonly read: (signal: AbortSignal) => Promise<readonly Model[]>;
  readonly onRead: (models: readonly Model[]) => void;
  /** @param isNew whether it is the first failure for this reason since a read succeeded */
  readonly onFailed: (reason: string, isNew: boolean) => void;
  /** Awaited between a read that succeeded and `onRead`. */
  readonly settled: () => Promise<void>;
  /** From the end of a read to the next, once one has succeeded; spread by a tenth, ms. */
  readonly rereadMs?: number | undefined;
};

export class ModelReading {
  readonly #init: ModelReadingInit;
  readonly #controller = new AbortController();
  readonly #reasons = new Set<string>();
  #retryMs = RETRY_FIRST_MS;
  #succeeded = false;
  #timer: Timer | undefined;
  /** Reads now, or after the read under way; resolves when that has ended, well or not. Never rejects. */
  readonly readNow: () => Promise<void>;
  /** Resolves when the first read has ended, well or not. */
  readonly firstTry: Promise<void>;

  constructor(init: ModelReadingInit) {
    this.#init = init;
    this.readNow = coalesce(() => this.#read());
    this.firstTry = this.readNow();
  }

  /** Nothing is called back after this. */
  stop(): void {
    this.#controller.abort();
    clearTimeout(this.#timer);
  }

  async #read(): Promise<void> {
    const { signal } = this.#controller;
    clearTimeout(this.#timer);
    if (signal.aborted) return;
    const outcome = await attempt(this.#init, signal);
    if (signal.aborted) return;
    this.#timer = setTimeout(() => void this.readNow(), this.#pauseAfter(outcome));
    this.#report(outcome); // last: whoever hears it may stop the reading
  }

  #pauseAfter({ kind }: Outcome): number {
    if (kind === "read") this.#succeeded = true;
    const { rereadMs = REREAD_MS } = this.#init;
    if (this.#succeeded) return rereadMs * (0.9 + Math.random() / 5);
    const pauseMs = this.#retryMs;
    this.#retryMs = Math.min(pauseMs * 2, RETRY_MAX_MS);
    return pauseMs;
  }

  #report(outcome: Outcome): void {
    if (outcome.kind === "read") {
      this.#reasons.clear(); // what fails after this is news again
      this.#init.onRead(outcome.models);
    } else {
      const isNew = !this.#reasons.has(outcome.reason);
      this.#reasons.add(outcome.reason);
      this.#init.onFailed(outcome.reason, isNew);
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
