/**
 * Decides when the proxy is ready: when each source has reported all its servers, and the first read
 * of the models of each server that was routable by then has ended. It does not know how sources look
 * or how models are read.
 */

/** The longest wait for the first reads of models, and for servers that no source can inspect, ms each. */
export const READY_TIMEOUT_MS = 10_000;

export class Readiness {
  readonly #timeoutMs: number;
  readonly #onReady: () => void;
  /**
   * The sources that we still wait for, each with the time of its first pass. Undefined before the
   * first pass.
   */
  readonly #awaited = new Map<string, number | undefined>();
  #state: "no pass yet" | "reading models" | "ready" = "no pass yet";

  constructor(timeoutMs = READY_TIMEOUT_MS, onReady: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#onReady = onReady;
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** True until each source has reported all its servers. It stays true while the engine does not answer. */
  get awaitsSources(): boolean {
    return this.#state === "no pass yet";
  }

  /**
   * Waits for this source too, unless it joins after the first passes of all other sources.
   */
  await(source: string): void {
    if (this.#state === "no pass yet") this.#awaited.set(source, undefined);
  }

  /**
   * A source has reported all its servers.
   *
   * @param isComplete true if the source could inspect all of its servers
   * @param firstReads returns the first reads of the models of all servers that are known now
   * @returns false if the source should make another pass soon
   */
  passed(source: string, isComplete: boolean, firstReads: () => readonly Promise<void>[]): boolean {
    if (!this.#awaited.has(source)) return true;
    // We wait for a server that the source could not inspect, but not for ever.
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
