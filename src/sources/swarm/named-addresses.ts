/**
 * Keeps which tasks Swarm's DNS has listed before and no longer lists. Such a task is unhealthy or about
 * to stop. Pure. We must not conclude more than that. An answer without addresses comes from another
 * resolver, or says nothing. A task that DNS has never listed may be on another network.
 */

export type NamedTask = {
  readonly id: string;
  /** Its address, in the form of a DNS answer. */
  readonly host: string;
};

export class NamedAddresses {
  /** Tasks that some answer has listed; false if the last answer has not listed them. */
  readonly #tasks = new Map<string, boolean>();

  /**
   * @param tasks all running tasks of a service
   * @param addresses the addresses of one answer for that service
   * @returns the ids of the tasks whose state has changed since the previous answer
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
