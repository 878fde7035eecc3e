/**
 * Holds who looks after the containers of tasks: the swarm's source, or that of containers. When that changes, the one who
 * takes them over knows them first: for a second both do, so that nobody is without a backend.
 */

export type HandoverInit = {
  /** Called when it has changed: containers are to be looked at again. */
  readonly onChange: () => void;
  /** Called when the source of containers knows those of tasks: the swarm's source is to let go of them. */
  readonly onGivenBack: () => void;
  readonly handoverMs?: number;
};

/** Longer than a list of models takes. */
const HANDOVER_MS = 1_000;

export class Handover {
  readonly #init: HandoverInit;
  #takesTasks = false;
  #timer: Timer | undefined;

  constructor(init: HandoverInit) {
    this.#init = init;
  }

  /** Containers of tasks are left to the swarm's source. */
  get takesTasks(): boolean {
    return this.#takesTasks;
  }

  /** @param isAtOnce the source of containers has had none of them yet */
  take(isAtOnce: boolean): void {
    if (this.#takesTasks || (this.#timer !== undefined && !isAtOnce)) return;
    if (isAtOnce) this.#set(true);
    else this.#later(() => this.#set(true));
  }

  giveBack(): void {
    if (this.#takesTasks) {
      this.#set(false);
      this.#later(this.#init.onGivenBack);
    } else if (this.#timer !== undefined) {
      this.stop(); // it was about to be taken
      this.#init.onGivenBack();
    }
  }

  /** Nothing is called any more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #set(takesTasks: boolean): void {
    this.stop();
    this.#takesTasks = takesTasks;
    this.#init.onChange();
  }

  #later(act: () => void): void {
    this.stop();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      act();
    }, this.#init.handoverMs ?? HANDOVER_MS);
  }
}
