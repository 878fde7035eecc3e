/**
 * Holds the state of the connection between the proxy and the engine. Only follow.ts and
 * connection-report.ts change it. It opens no connection and logs nothing.
 */
import type { ConnectionStatus } from "../../status.ts";

export class EngineConnection {
  #status: ConnectionStatus = { state: "connecting", sinceMs: Date.now(), reason: undefined };

  #isFollowed = false;

  /** True while the event stream is open. */
  get isFollowed(): boolean {
    return this.#isFollowed;
  }

  get status(): ConnectionStatus {
    return this.#status;
  }

  opened(): void {
    this.#isFollowed = true;
    if (this.#status.state === "connected") return;
    this.#status = { state: "connected", sinceMs: Date.now(), reason: undefined };
  }

  /**
   * The event stream has ended. That alone does not mean that the engine is away: the state stays.
   */
  ended(): void {
    this.#isFollowed = false;
  }

  /** A try to reach the engine has failed. */
  failed(reason: string): void {
    const { state, sinceMs } = this.#status;
    this.#status =
      state === "connected"
        ? { state: "lost", sinceMs: Date.now(), reason }
        : { state, sinceMs, reason };
  }
}
