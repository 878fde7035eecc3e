/**
 * Holds who looks after the containers of tasks: the swarm's source, or that of containers. When that changes, the one who
 * takes them over knows them first: for some seconds both do, so that hardly anybody is without a backend.
 */

export type HandoverInit = {
  /** Called when it has changed: containers are to be looked at again. */
  readonly onChange: () => void;
  /** Called when the source of containers knows those of tasks: the swarm's source is to let go of them. */
  readonly onGivenBack: () => void;
  /** How long both follow the containers of tasks, ms. */
  readonly handoverMs?: number | undefined;
};

/** Longer than most lists of models take. */
const HANDOVER_MS = 3_000;

/** `taking` and `giving back`: both sources follow the containers of tasks, and that of containers is told of them. */
type State = "given back" | "taking" | "taken" | "giving back";

export class Handover {
  readonly #init: HandoverInit;
  #state: State = "given back";
  #timer: Timer | undefined;

  constructor(init: HandoverInit) {
    this.#init = init;
  }

  /** Containers of tasks are left to the swarm's source. */
  get takesTasks(): boolean {
    return this.#state === "taken";
  }

  /** @param isAtOnce the source of containers has had none of them yet */
  take(isAtOnce: boolean): void {
    switch (this.#state) {
      case "taken":
        return;
      case "giving back":
        this.#take(); // the swarm's source has not let go of them
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

  /** Nothing is called any more. */
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
