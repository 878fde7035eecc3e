/**
 * What the proxy learns by asking one server: its models, or why they can't be read, and whether the server can be
 * reached. Starts and stops the reading of its models; plan.ts decides when.
 */
import type { Model } from "../routing/backend.ts";
import type { Source } from "../sources/sighting.ts";
import { bugFields } from "../telemetry/bug-report.ts";
import type { Log } from "../telemetry/log.ts";
import { ModelReading } from "./model-reading.ts";
import type { ReadModels } from "./models.ts";
import { unreachableReason } from "./models-failure.ts";
import type { Place, Seen } from "./plan.ts";
import { type Connect, modelsAt } from "./reach.ts";

export type FoundModelsInit = {
  /** Reads from the URL of the server's API. */
  readonly readModels: ReadModels;
  /** Tries to connect to a server whose machine may vanish. The default is `tryConnect`. */
  readonly connect?: Connect;
  /** The time between two reads of the models of an active backend, ms. */
  readonly rereadMs?: number;
  readonly source: Pick<Source, "settled">;
  readonly log: Log;
  /** The server's name, as people know it. */
  readonly name: () => string;
  /** Called when a read has succeeded or failed. Must carry out the step before it returns. */
  readonly onSeen: (seen: Seen) => void;
  /** Called after `onSeen`. */
  readonly onProgress: () => void;
};

/** The time between two tries to reach a lost server again, ms. */
const SEEK_MS = 1_000;

export class FoundModels {
  readonly #init: FoundModelsInit;
  #models: readonly Model[] = [];
  #leftOut: string | undefined;
  #failure: string | undefined;
  #lost: string | undefined;
  #reading: ModelReading | undefined;

  constructor(init: FoundModelsInit) {
    this.#init = init;
  }

  /** The models from the last successful read of this run. */
  get models(): readonly Model[] {
    return this.#models;
  }

  /** Which entries of its model list the last read left out, and why. Undefined if it used all. */
  get leftOut(): string | undefined {
    return this.#leftOut;
  }

  /** Why the last read of its models failed. Undefined if it did not fail, or if the reading is stopped. */
  get failure(): string | undefined {
    return this.#reading === undefined ? undefined : this.#failure;
  }

  /** Why this run gets no requests until its models can be read again. Undefined if the proxy could always reach it. */
  get lost(): string | undefined {
    return this.#lost;
  }

  get isReading(): boolean {
    return this.#reading !== undefined;
  }

  /** Resolves when the first read has succeeded or failed. Resolves at once without a reading. */
  get firstRead(): Promise<void> {
    return this.#reading?.firstTry ?? Promise.resolve();
  }

  /** Resolves when a read that began after this call has succeeded or failed. Resolves at once without a reading. */
  readNow(): Promise<void> {
    return this.#reading?.readNow() ?? Promise.resolve();
  }

  start(place: Place): void {
    this.#start(place);
  }

  /** Tries every second to reach a server that was routed a moment ago. Call `failed` next. */
  seek(place: Place): void {
    this.#lost = "";
    this.#start(place, SEEK_MS);
  }

  stop(): void {
    this.#reading?.stop();
    this.#reading = undefined;
    this.#failure = undefined;
  }

  /**
   * The server could not be reached, or its models could not be read.
   *
   * @param unreachable see `ServerUnreachable.how`; undefined if it could be reached
   */
  failed(reason: string, unreachable?: string): void {
    this.#failure = reason;
    const isLost = this.#lost !== undefined;
    if (isLost) this.#lost = unreachable === undefined ? reason : unreachableReason(unreachable);
    this.#init.onProgress();
  }

  /** The server takes requests again. */
  admitted(): void {
    this.#lost = undefined;
  }

  /** Another run begins. We know nothing about it yet. */
  forget(): void {
    this.#models = [];
    this.#leftOut = undefined;
    this.#lost = undefined;
  }

  #start(place: Place, retryMs?: number): void {
    const { readModels, connect, rereadMs, name, source, log, onSeen, onProgress } = this.#init;
    const by = (): Parameters<typeof modelsAt>[1] => ({
      ...{ name: name(), readModels },
      ...(connect !== undefined && { connect }),
    });
    this.#reading = new ModelReading({
      ...{ rereadMs, retryMs },
      read: (signal) => modelsAt(place, by(), signal),
      settled: () => source.settled(),
      onRead: ({ models, leftOut }) => {
        this.#models = models;
        this.#leftOut = leftOut;
        this.#failure = undefined;
        onSeen("models read");
        onProgress();
      },
      onFailed: (reason, unreachable) => {
        onSeen(unreachable === undefined ? "read failed" : "unreachable");
        this.failed(reason, unreachable);
      },
      onBug: (error) => {
        const bug = bugFields("while it read models", error);
        log.error("internal error", { container: name(), ...bug });
      },
    });
  }
}
