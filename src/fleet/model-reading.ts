/**
 * Reads the models of a backend for as long as it is probing or active, beside everything else. It
 * repeats a read until one succeeds, and from then on reads at regular times and when it is asked
 * to. Two reads never overlap. It does not know how a read is done, nor what follows from it.
 */
import { coalesce } from "../ground/coalesce.ts";
import type { ModelList } from "./model-list.ts";
import { ModelsUnreadable, ServerUnreachable } from "./models-failure.ts";

/**
 * The first pause after a failed read; it doubles up to `RETRY_MAX_MS`. A server that is loading
 * answers 503 for minutes, so we keep asking, but not all the time.
 */
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 5_000;
/** After a read that took as long as the time to the next. */
const PAUSE_MIN_MS = 20;
/** We read again because LoRA adapters and pulled models come and go while a server runs. */
export const REREAD_MS = 60_000;

export type ModelReadingInit = {
  /**
   * @throws {ModelsUnreadable} if the models can't be read; anything else that it throws is a bug
   * of ours
   */
  readonly read: (signal: AbortSignal) => Promise<ModelList>;
  readonly onRead: (list: ModelList) => void;
  /** @param unreachable how a connection to the server could not be made; undefined if that is not why it failed */
  readonly onFailed: (reason: string, unreachable?: string) => void;
  /** Called for a bug of ours: once, until a read succeeds again. `onFailed` follows each time. */
  readonly onBug: (error: unknown) => void;
  /** Awaited after a read has succeeded, before `onRead` is called. */
  readonly settled: () => Promise<void>;
  /**
   * The time from the end of a read to the next, once a read has succeeded; varied by up to a
   * tenth, ms.
   */
  readonly rereadMs?: number | undefined;
  /** The time from the beginning of a failed read to the next, ms; if it is not given, pauses that grow. */
  readonly retryMs?: number | undefined;
};

export class ModelReading {
  readonly #init: ModelReadingInit;
  readonly #controller = new AbortController();
  #hasToldOfBug = false;
  #retryMs = RETRY_FIRST_MS;
  #succeeded = false;
  #timer: Timer | undefined;
  /**
   * Reads now, or after the read that is under way. Resolves when that new read has ended, well or
   * not. Never rejects.
   */
  readonly readNow: () => Promise<void>;
  /** Resolves when the first read has ended, well or not. */
  readonly firstTry: Promise<void>;

  constructor(init: ModelReadingInit) {
    this.#init = init;
    this.readNow = coalesce(() => this.#read());
    this.firstTry = this.readNow();
  }

  /** Ends the reading. Nothing is called back after this. */
  stop(): void {
    this.#controller.abort();
    clearTimeout(this.#timer);
  }

  async #read(): Promise<void> {
    const { signal } = this.#controller;
    clearTimeout(this.#timer);
    if (signal.aborted) return;
    const beganMs = performance.now();
    const end = await attempt(this.#init, signal);
    if (signal.aborted) return;
    const pauseMs = this.#pauseAfter(end, performance.now() - beganMs);
    this.#timer = setTimeout(() => void this.readNow(), pauseMs);
    this.#report(end); // comes last, since the listener may stop the reading
  }

  #pauseAfter({ kind }: ReadEnd, tookMs: number): number {
    if (kind === "read") this.#succeeded = true;
    const { rereadMs = REREAD_MS, retryMs } = this.#init;
    if (this.#succeeded) return rereadMs * (0.9 + Math.random() / 5);
    if (retryMs !== undefined) return Math.max(PAUSE_MIN_MS, retryMs - tookMs);
    const pauseMs = this.#retryMs;
    this.#retryMs = Math.min(pauseMs * 2, RETRY_MAX_MS);
    return pauseMs;
  }

  #report(end: ReadEnd): void {
    if (end.kind === "read") {
      this.#hasToldOfBug = false;
      this.#init.onRead(end.list);
      return;
    }
    if (end.bug !== undefined && !this.#hasToldOfBug) {
      this.#hasToldOfBug = true;
      this.#init.onBug(end.bug);
    }
    this.#init.onFailed(end.reason, end.unreachable);
  }
}

type ReadEnd =
  | { readonly kind: "read"; readonly list: ModelList }
  | {
      readonly kind: "failed";
      readonly reason: string;
      readonly unreachable?: string | undefined;
      readonly bug?: unknown;
    };

async function attempt(init: ModelReadingInit, signal: AbortSignal): Promise<ReadEnd> {
  try {
    const list = await init.read(signal);
    await init.settled();
    return { kind: "read", list };
  } catch (error) {
    const unreachable = error instanceof ServerUnreachable ? error.how : undefined;
    if (error instanceof ModelsUnreadable) {
      return { kind: "failed", reason: error.message, unreachable };
    }
    return { kind: "failed", reason: "the proxy has failed: its log says how", bug: error };
  }
}
