/**
 * Holds the state of the connection between the proxy and the engine, and reports changes. Only
 * follow.ts and connection-report.ts change the state. This file opens no connection and logs nothing.
 */
import type { ConnectionStatus } from "../../status.ts";

export class EngineConnection {
  #status: ConnectionStatus = { state: "connecting", sinceMs: Date.now(), reason: undefined };

  #isFollowed = false;
  readonly #onChange: (status: ConnectionStatus) => void;

  /** @param onChange called when the state changes, and when the first try fails; must be quick */
  constructor(onChange: (status: ConnectionStatus) => void = () => undefined) {
    this.#onChange = onChange;
  }

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
    this.#onChange(this.#status);
  }

  /**
   * The event stream has ended. The state stays, because the engine may still be there.
   */
  ended(): void {
    this.#isFollowed = false;
  }

  /** An attempt to reach the engine has failed. */
  failed(reason: string): void {
    const { state, sinceMs, reason: known } = this.#status;
    this.#status =
      state === "connected"
        ? { state: "lost", sinceMs: Date.now(), reason }
        : { state, sinceMs, reason };
    if (known === undefined) this.#onChange(this.#status);
  }
}
