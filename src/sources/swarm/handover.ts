/**
 * Holds which source is responsible for the containers of tasks: the swarm source or the container
 * source. At a change, both sources follow them for some seconds. So the new source knows the tasks
 * before the old source lets go, and requests nearly always find a backend.
 */

export type HandoverInit = {
  /** Called when the responsibility has changed. The container source must look at its containers again. */
  readonly onChange: () => void;
  /** Called when the container source knows the containers of tasks. The swarm source must let go of them. */
  readonly onGivenBack: () => void;
  /** How long both follow the containers of tasks, ms. */
  readonly handoverMs?: number | undefined;
};

/** Longer than reading most model lists takes. */
const HANDOVER_MS = 3_000;

/** `taking` and `giving back`: both sources follow the containers of tasks, and events go to the container source. */
type State = "given back" | "taking" | "taken" | "giving back";

export class Handover {
  readonly #init: HandoverInit;
  #state: State = "given back";
  #timer: Timer | undefined;

  constructor(init: HandoverInit) {
    this.#init = init;
  }

  /** True if only the swarm source follows the containers of tasks. */
  get takesTasks(): boolean {
    return this.#state === "taken";
  }

  /** @param isAtOnce true if the container source has not taken any of them yet */
  take(isAtOnce: boolean): void {
    switch (this.#state) {
      case "taken":
        return;
      case "giving back":
        this.#take(); // the swarm source has not let go of them
        return;
      case "taking":
        if (isAtOnce) this.#take();
        return;
      case "given back":
        if (isAtOnce) this.#take();
        else this.#later("taking", () => this.#take());
    }
  }

  giveBack(): void {
    if (this.#state === "taken") {
      this.#later("giving back", () => this.#letGo());
      this.#init.onChange();
    } else if (this.#state === "taking") this.#letGo();
  }

  /** After this, no callback is called. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #take(): void {
    this.#become("taken");
    this.#init.onChange();
  }

  #letGo(): void {
    this.#become("given back");
    this.#init.onGivenBack();
  }

  #become(state: State): void {
    clearTimeout(this.#timer);
    this.#state = state;
  }

  #later(state: State, act: () => void): void {
    this.#become(state);
    this.#timer = setTimeout(act, this.#init.handoverMs ?? HANDOVER_MS);
  }
}
