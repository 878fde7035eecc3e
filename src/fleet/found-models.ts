/**
 * What is found out of one server by asking it: its models, or why they can't be read, and whether it can be reached at
 * all. Starts the reading of its models and stops it, as it is told. plan.ts decides that.
 */
import { stackOf } from "../ground/error-stack.ts";
import type { Model } from "../routing/backend.ts";
import type { Source } from "../sources/sighting.ts";
import type { Log } from "../telemetry/log.ts";
import { ModelReading } from "./model-reading.ts";
import type { ReadModels } from "./models.ts";
import { unreachableReason } from "./models-failure.ts";
import type { Place, Seen } from "./plan.ts";
import { type Connect, modelsAt } from "./reach.ts";

export type FoundModelsInit = {
  /** Reads from the URL of the server's API. */
  readonly readModels: ReadModels;
  /** Tries whether a server can be reached whose machine may vanish; `tryConnect` if it is not given. */
  readonly connect?: Connect;
  /** The time between two reads of the models of an active backend, ms. */
  readonly rereadMs?: number;
  readonly source: Pick<Source, "settled">;
  readonly log: Log;
  /** What people call the server. */
  readonly name: () => string;
  /** Called when a read has ended, well or not: what that means is to be carried out at once. */
  readonly onSeen: (seen: Seen) => void;
  /** Called after `onSeen`. */
  readonly onProgress: () => void;
};

/** The time from one try to reach a server again to the next, ms. */
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

  /** The models that the last read of this run gave. */
  get models(): readonly Model[] {
    return this.#models;
  }

  /** Which entries of its model list the last read could not take, and why; undefined if it took all. */
  get leftOut(): string | undefined {
    return this.#leftOut;
  }

  /** Why the last read of its models failed; undefined if it did not fail, or if nothing is read. */
  get failure(): string | undefined {
    return this.#reading === undefined ? undefined : this.#failure;
  }

  /** Why this run takes nothing until its models can be read again; undefined if it could always be reached. */
  get lost(): string | undefined {
    return this.#lost;
  }

  get isReading(): boolean {
    return this.#reading !== undefined;
  }

  /** Resolves when the first read has ended, well or not; at once without a reading. */
  get firstRead(): Promise<void> {
    return this.#reading?.firstTry ?? Promise.resolve();
  }

  /** Resolves when a read that began after this call has ended, well or not; at once without a reading. */
  readNow(): Promise<void> {
    return this.#reading?.readNow() ?? Promise.resolve();
  }

  start(place: Place): void {
    this.#start(place);
  }

  /** Tries every second to reach a server that was routed a moment ago. `failed` says next why that must be. */
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
   * It could not be reached, or its models could not be read.
   *
   * @param unreachable how it could not be reached
   */
  failed(reason: string, unreachable?: string): void {
    this.#failure = reason;
    const isLost = this.#lost !== undefined;
    if (isLost) this.#lost = unreachable === undefined ? reason : unreachableReason(unreachable);
    this.#init.onProgress();
  }

  /** It takes requests again. */
  admitted(): void {
    this.#lost = undefined;
  }

  /** Another run begins, of which nothing is known. */
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
        const fields = { container: name(), reason: stackOf(error) };
        log.error("a bug in the proxy: please report it", fields);
      },
    });
  }
}
