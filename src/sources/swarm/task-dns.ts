/**
 * Asks Docker's DNS which tasks of a service it lists. DNS drops an unhealthy task 2 s before the task is
 * told to stop. For tasks on other nodes, this is the only sign. Source: facts of issue 20, section 6. It
 * does not decide what the proxy does.
 */
import type { Service } from "../../engine/swarm.ts";

/** @throws if the name has no address, or no answer comes in time */
export type Resolve = (name: string) => Promise<readonly string[]>;

/** Docker's DNS server in every container on a user-defined network. */
const DOCKER_DNS = "127.0.0.11";
/** If Docker knows no address for a name, it asks another resolver, and that may take 5 s. */
const TIMEOUT_MS = 400;
/** The maximum number of queries at once. */
const ASKED_MAX = 64;

export class TaskDns {
  readonly #resolve: Resolve;
  readonly #onNames: (serviceId: string, addresses: readonly string[]) => void;
  /** The services with a query in progress. */
  readonly #asked = new Set<string>();
  /** The services that wait for a free query: their names by id. */
  readonly #waiting = new Map<string, string>();

  /** @param onNames called with each answer that has addresses; must not throw */
  constructor(
    onNames: (serviceId: string, addresses: readonly string[]) => void,
    resolve: Resolve = askDns(DOCKER_DNS),
  ) {
    this.#resolve = resolve;
    this.#onNames = onNames;
  }

  /** Sends one query for each of these services, and drops waiting queries for others. Does not wait. */
  ask(services: readonly Pick<Service, "id" | "name">[]): void {
    const before = [...this.#waiting.keys()];
    this.#waiting.clear();
    const names = new Map(services.map(({ id, name }) => [id, name]));
    // Waiting services come first: there may be more services than queries between two calls.
    for (const id of [...before, ...names.keys()]) {
      const name = names.get(id);
      if (name !== undefined && !this.#asked.has(id)) this.#waiting.set(id, name);
    }
    this.#askNext();
  }

  #askNext(): void {
    for (const [id, name] of this.#waiting) {
      if (this.#asked.size >= ASKED_MAX) return;
      this.#waiting.delete(id);
      void this.#askOne(id, name);
    }
  }

  async #askOne(id: string, name: string): Promise<void> {
    this.#asked.add(id);
    // A missing answer says nothing about any task.
    const addresses = await this.#resolve(`tasks.${name}`).catch(() => undefined);
    this.#asked.delete(id);
    this.#askNext();
    if (addresses !== undefined) this.#onNames(id, addresses);
  }
}

/**
 * A resolver caches each answer for its TTL, and Docker's TTL is 600 s. So each query uses a new resolver.
 * (Measured: this takes 0.1 ms, and leaks no memory.)
 *
 * @param server `address` or `address:port` of the DNS server
 */
export function askDns(server: string): Resolve {
  return async (name) => {
    const { Resolver } = await import("node:dns/promises");
    const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
    resolver.setServers([server]);
    return resolver.resolve4(name);
  };
}
