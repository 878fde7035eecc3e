/**
 * Reads the models of a backend in the background while the backend is probing or active. It repeats
 * a read until one succeeds. Then it reads at regular times and on request. Two reads never overlap.
 * It does not know how to read, or what follows from a read.
 */
import { coalesce } from "../ground/coalesce.ts";
import type { ModelList } from "./model-list.ts";
import { ModelsUnreadable, ServerUnreachable } from "./models-failure.ts";

/**
 * The first pause after a failed read. The pause doubles up to `RETRY_MAX_MS`. A server that is
 * loading may answer 503 for minutes, so we keep asking, but not too often.
 */
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 5_000;
/** The shortest pause with `retryMs`, if a read took longer than that. */
const PAUSE_MIN_MS = 20;
/** We read again because a running server may load and unload LoRA adapters, or pull and remove models. */
export const REREAD_MS = 60_000;

export type ModelReadingInit = {
  /**
   * @throws {ModelsUnreadable} if the models can't be read; any other exception is a bug of ours
   */
  readonly read: (signal: AbortSignal) => Promise<ModelList>;
  readonly onRead: (list: ModelList) => void;
  /** @param unreachable see `ServerUnreachable.how`; undefined if the read failed for another reason */
  readonly onFailed: (reason: string, unreachable?: string) => void;
  /** Called for a bug of ours: once, until a read succeeds again. `onFailed` follows each time. */
  readonly onBug: (error: unknown) => void;
  /** Awaited after a read has succeeded, before the call of `onRead`. */
  readonly settled: () => Promise<void>;
  /**
   * The time from the end of a read to the next, once a read has succeeded. Varies by up to a tenth.
   * ms.
   */
  readonly rereadMs?: number | undefined;
  /** The time from the start of a failed read to the next, ms. Without it, the pauses grow. */
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
   * Reads now, or right after the read in progress. Resolves when that new read has succeeded or
   * failed. Never rejects.
   */
  readonly readNow: () => Promise<void>;
  /** Resolves when the first read has succeeded or failed. */
  readonly firstTry: Promise<void>;

  constructor(init: ModelReadingInit) {
    this.#init = init;
    this.readNow = coalesce(() => this.#read());
    this.firstTry = this.readNow();
  }

  /** Ends the reading. It makes no callback after this. */
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
    return { kind: "failed", reason: "bug in the proxy: see its log", bug: error };
  }
}
