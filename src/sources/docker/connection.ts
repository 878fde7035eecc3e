/** How it stands between the proxy and the engine, for whoever asks. Written by follow.ts alone. */
import type { ConnectionStatus } from "../../status.ts";

export class EngineConnection {
  #status: ConnectionStatus = { state: "connecting", sinceMs: Date.now(), reason: undefined };

  #isFollowed = false;

  /** Whether its events come just now. */
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

  /** The event stream has ended: that alone says nothing of the engine. */
  ended(): void {
    this.#isFollowed = false;
  }

  /** One more try has failed, or the first one has. */
  failed(reason: string): void {
    const { state, sinceMs } = this.#status;
    this.#status =
      state === "connected"
        ? { state: "lost", sinceMs: Date.now(), reason }
        : { state, sinceMs, reason };
  }
}
