/**
 * Asks Docker's DNS which tasks of a service it names. It drops a task that has become unhealthy 2 s before that is told to
 * stop, which nothing else tells of another node. Source: facts of issue 20, section 6. It does not know what follows.
 */
import type { Service } from "../../engine/swarm.ts";

/** @throws if the name has no address, or nobody answers in time */
export type Resolve = (name: string) => Promise<readonly string[]>;

/** In every container that is on a network which somebody has made. */
const DOCKER_DNS = "127.0.0.11";
/** Without any address of it Docker asks another resolver, which may take 5 s. */
const TIMEOUT_MS = 400;
/** So many questions at once. */
const ASKED_MAX = 64;

export class TaskDns {
  readonly #resolve: Resolve;
  readonly #onNames: (serviceId: string, addresses: readonly string[]) => void;
  /** The services that are being asked about. */
  readonly #asked = new Set<string>();

  /** @param onNames called with each answer that has addresses */
  constructor(
    onNames: (serviceId: string, addresses: readonly string[]) => void,
    resolve: Resolve = askDns(DOCKER_DNS),
  ) {
    this.#resolve = resolve;
    this.#onNames = onNames;
  }

  /** Asks once about each of these services. Waits for nothing. */
  ask(services: readonly Pick<Service, "id" | "name">[]): void {
    for (const { id, name } of services) {
      if (this.#asked.has(id) || this.#asked.size >= ASKED_MAX) continue;
      this.#asked.add(id);
      this.#resolve(`tasks.${name}`).then(
        (addresses) => {
          this.#asked.delete(id);
          this.#onNames(id, addresses);
        },
        () => void this.#asked.delete(id), // that says nothing of any task
      );
    }
  }
}

/**
 * A resolver keeps each answer for as long as that says, which are 600 s in Docker's case. So each question has one of its
 * own. (Measured: it takes 0.1 ms, and no memory is left behind.)
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
