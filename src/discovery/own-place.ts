/** Where the proxy itself is: on the host, or in which networks, as the engine shows it. */
import type { Place } from "../docker/address.ts";
import type { Container } from "../docker/container.ts";
import { coalesce } from "./loop.ts";

export type OwnPlaceInit = {
  /** The container we run in, as far as the kernel tells; undefined: none. */
  readonly ownContainerId: string | undefined;
  /** @throws if it can't tell */
  readonly inspect: (id: string) => Promise<Container | undefined>;
  /** The host's address as a container knows it; may take long, and must not throw. */
  readonly lookUpHost: () => Promise<string | undefined>;
  /** The host has another address than before. */
  readonly onChange: () => void;
};

const HOST: Place = { kind: "host" };

export class OwnPlace {
  readonly #init: OwnPlaceInit;
  /** Undefined: not asked yet. */
  #own: Container | "none" | undefined;
  #hostAddress: string | undefined;
  /** Beside everything else: a name look-up may take 10 s. */
  readonly #lookUp: () => Promise<void>;
  #hasLookedUp = false;

  constructor(init: OwnPlaceInit) {
    this.#init = init;
    this.#lookUp = coalesce(async () => {
      const address = await init.lookUpHost();
      if (address === this.#hostAddress) return;
      this.#hostAddress = address;
      init.onChange();
    });
  }

  get place(): Place {
    const own = this.#own;
    if (own === undefined || own === "none" || own.networkMode === "host") return HOST;
    return { kind: "container", networks: own.networks, hostAddress: this.#hostAddress };
  }

  /**
   * Reads it again: networks are joined and left while the proxy runs.
   *
   * @param isHostAsked whether some container is on the host's network
   * @throws if it was never read and can't be
   */
  async read(isHostAsked: boolean): Promise<void> {
    const { ownContainerId, inspect } = this.#init;
    if (ownContainerId === undefined) return;
    try {
      // Not found: we are in a container, but of another engine, so that its networks are not ours.
      this.#own = (await inspect(ownContainerId)) ?? "none";
    } catch (error) {
      if (this.#own === undefined) throw error;
    }
    if (this.place.kind === "host" || (this.#hasLookedUp && !isHostAsked)) return;
    this.#hasLookedUp = true;
    void this.#lookUp();
  }
}
