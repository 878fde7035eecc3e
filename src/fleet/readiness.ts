/**
 * When the proxy is ready: each source has told of all its servers, and each server that was found routable
 * then has been asked for its models.
 */

/** Longest wait for the first read of models, and for servers that can't be looked at, ms. */
export const READY_TIMEOUT_MS = 10_000;

export class Readiness {
  readonly #timeoutMs: number;
  readonly #onReady: () => void;
  /** Sources of which no pass has been good enough yet, and when their first one was. */
  readonly #awaited = new Map<string, number | undefined>();
  #state: "no pass yet" | "reading models" | "ready" = "no pass yet";

  constructor(timeoutMs = READY_TIMEOUT_MS, onReady: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#onReady = onReady;
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** A source that joins later than the first passes of all others is not waited for. */
  await(source: string): void {
    if (this.#state === "no pass yet") this.#awaited.set(source, undefined);
  }

  /**
   * A source has told of all its servers.
   *
   * @param isComplete whether each of them could be looked at
   * @param firstReads of the models of all servers that are known now
   * @returns whether that will do; if not, there is to be another pass soon
   */
  passed(source: string, isComplete: boolean, firstReads: () => readonly Promise<void>[]): boolean {
    if (!this.#awaited.has(source)) return true;
    // A server that could not be looked at may be one to wait for, but not for ever.
    const firstMs = this.#awaited.get(source) ?? performance.now();
    this.#awaited.set(source, firstMs);
    const isLate = performance.now() - firstMs >= this.#timeoutMs;
    if (!isLate && !isComplete) return false;
    this.#awaited.delete(source);
    if (this.#awaited.size === 0) this.#awaitReads(firstReads());
    return true;
  }

  #awaitReads(reads: readonly Promise<void>[]): void {
    this.#state = "reading models";
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, this.#timeoutMs);
    void Promise.race([Promise.all(reads), late.promise]).then(() => {
      clearTimeout(timer);
      this.#state = "ready";
      this.#onReady();
    });
  }
}
