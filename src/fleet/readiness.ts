/** When the proxy is ready: each container that the first pass found routable has been asked for its models. */
import type { ContainerLoop } from "../sources/docker/container-loop.ts";

/** Longest wait for the first read of models, and for containers that can't be inspected, ms. */
export const READY_TIMEOUT_MS = 10_000;

export class Readiness {
  readonly #timeoutMs: number;
  readonly #onReady: () => void;
  #firstPassMs: number | undefined;
  #state: "no pass yet" | "reading models" | "ready" = "no pass yet";

  constructor(timeoutMs = READY_TIMEOUT_MS, onReady: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#onReady = onReady;
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  /**
   * All containers have been looked at, as far as they could be.
   *
   * @returns whether that will do; if not, there is to be another pass soon
   */
  passed(loops: readonly ContainerLoop[]): boolean {
    if (this.#state !== "no pass yet") return true;
    // A container that could not be inspected may be one to wait for, but not for ever.
    this.#firstPassMs ??= performance.now();
    const isLate = performance.now() - this.#firstPassMs >= this.#timeoutMs;
    if (!isLate && loops.some(({ hasSeen }) => !hasSeen)) return false;
    this.#state = "reading models";
    this.#awaitFirstReads(loops);
    return true;
  }

  #awaitFirstReads(loops: readonly ContainerLoop[]): void {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, this.#timeoutMs);
    const reads = loops.map(({ firstRead }) => firstRead);
    void Promise.race([Promise.all(reads), late.promise]).then(() => {
      clearTimeout(timer);
      this.#state = "ready";
      this.#onReady();
    });
  }
}
