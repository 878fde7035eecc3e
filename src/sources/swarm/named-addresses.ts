/**
 * Keeps which tasks Swarm's DNS has named, and does not any more: those are unhealthy, or about to be stopped. Pure.
 * Only that may be concluded. An answer without addresses comes from another resolver, or says nothing; one that DNS has
 * never named may be on a network that the answer is not about.
 */

export type NamedTask = {
  readonly id: string;
  /** Its address, as DNS would name it. */
  readonly host: string;
};

export class NamedAddresses {
  /** Tasks that an answer has named; false if the last one has not. */
  readonly #tasks = new Map<string, boolean>();

  /**
   * @param tasks all tasks of a service that run
   * @param addresses of one answer for that service
   * @returns the ids of those of whom it says something else than the answer before it
   */
  saw(tasks: readonly NamedTask[], addresses: readonly string[]): readonly string[] {
    if (addresses.length === 0) return [];
    const named = new Set(addresses);
    const changed = tasks.filter(({ id, host }) => {
      const was = this.#tasks.get(id);
      return named.has(host) ? was !== true : was === true;
    });
    for (const { id, host } of changed) this.#tasks.set(id, named.has(host));
    return changed.map(({ id }) => id);
  }

  isMissing(taskId: string): boolean {
    return this.#tasks.get(taskId) === false;
  }

  forget(taskId: string): void {
    this.#tasks.delete(taskId);
  }
}
