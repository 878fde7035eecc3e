/** Where the proxy itself is: on the host, in which networks, or on another machine than the engine. */

import type { Container } from "../../engine/container.ts";
import { EngineError } from "../../engine/error.ts";
import { coalesce } from "../../ground/coalesce.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Place } from "./address.ts";
import { canonicalAddress, isLoopback } from "./own-addresses.ts";

/** An engine that is asked over the network. */
export type RemoteEngine = {
  /** As in DOCKER_HOST. */
  readonly host: string;
  /** Its addresses, canonical; none if it does not resolve. Takes seconds at the most, and must not throw. */
  readonly lookUp: () => Promise<readonly string[]>;
  /** @throws {EngineError} if it can't tell */
  readonly containerAddresses: () => Promise<readonly string[]>;
};

export type OwnPlaceInit = {
  /** The container we run in, as far as the kernel tells; undefined: none. */
  readonly ownContainerId: string | undefined;
  /** @throws {EngineError} if it can't tell */
  readonly inspect: (id: string) => Promise<Container | undefined>;
  /** The host's address as a container knows it; may take long, and must not throw. */
  readonly lookUpHost: () => Promise<string | undefined>;
  /** Undefined: it is asked over a unix socket, so that it is on this machine. */
  readonly remote: RemoteEngine | undefined;
  /** Of our interfaces, canonical. */
  readonly ownAddresses: () => readonly string[];
  /** The host has another address than before. */
  readonly onChange: () => void;
  readonly log: Log;
  /** For how long an engine that refuses to tell of our own container is asked again, ms. */
  readonly refusedMs?: number;
};

const HOST: Place = { kind: "host" };
const REFUSED_MS = 5_000;

export class OwnPlace {
  readonly #init: OwnPlaceInit;
  /** Undefined: not asked yet. */
  #own: Container | "none" | "refused" | undefined;
  #isForeign = false;
  #addresses: readonly string[] = [];
  #refusedSinceMs: number | undefined;
  readonly #known = Promise.withResolvers<void>();
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

  /** Resolves when it has been read for the first time: until then there is no telling where anybody is. */
  get known(): Promise<void> {
    return this.#known.promise;
  }

  /** Only once it is known. */
  get place(): Place {
    const own = this.#own;
    if (own === undefined) throw new Error("where the proxy is has not been read yet");
    if (this.#isForeign && this.#init.remote !== undefined) {
      return { kind: "foreign", engineHost: this.#init.remote.host };
    }
    if (typeof own === "string" || own.networkMode === "host") return HOST;
    return { kind: "container", networks: own.networks, hostAddress: this.#hostAddress };
  }

  /** The container whose network we are in, if the engine knows it. */
  get container(): Container | undefined {
    return typeof this.#own === "object" ? this.#own : undefined;
  }

  /** Of our interfaces, canonical. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /**
   * Reads it again: networks are joined and left while the proxy runs.
   *
   * @param isHostAsked whether some container is on the host's network
   * @throws {EngineError} if it was never read and can't be
   */
  async read(isHostAsked: boolean): Promise<void> {
    this.#addresses = this.#init.ownAddresses();
    try {
      const own = await this.#readOwn();
      this.#isForeign = own === "none" && (await this.#seemsForeign());
      this.#own = own;
    } catch (error) {
      if (this.#own === undefined || !(error instanceof EngineError)) throw error;
    }
    this.#known.resolve();
    if (this.place.kind !== "container" || (this.#hasLookedUp && !isHostAsked)) return;
    this.#hasLookedUp = true;
    void this.#lookUp();
  }

  async #readOwn(): Promise<Container | "none" | "refused"> {
    const { ownContainerId, inspect } = this.#init;
    if (ownContainerId === undefined) return "none";
    try {
      // Not found: we are in a container, but of another engine, so that its networks are not ours.
      const own = (await inspect(ownContainerId)) ?? "none";
      this.#refusedSinceMs = undefined;
      return own;
    } catch (error) {
      if (this.#own === undefined && this.#isRefusedForLong(error)) return "refused";
      throw error;
    }
  }

  /** Whoever is refused for good has to go on all the same; who gets no answer has nobody to look at. */
  #isRefusedForLong(error: unknown): boolean {
    if (!(error instanceof EngineError) || error.kind === "unreachable") {
      this.#refusedSinceMs = undefined;
      return false;
    }
    this.#refusedSinceMs ??= performance.now();
    const { log, refusedMs = REFUSED_MS } = this.#init;
    if (performance.now() - this.#refusedSinceMs < refusedMs) return false;
    log.warn(
      "the engine does not tell of the proxy's own container; the proxy takes itself to be on the host, where it reaches all networks",
      { reason: error.message },
    );
    return true;
  }

  /** The engine knows no container of ours: it is on this machine, or in reach of it only by the network. */
  async #seemsForeign(): Promise<boolean> {
    const { remote } = this.#init;
    if (remote === undefined) return false;
    const found = await remote.lookUp();
    if (found.length === 0) return this.#isForeign; // it can't tell
    const isHere = (address: string): boolean =>
      isLoopback(address) || this.#addresses.includes(address);
    if (found.some(isHere)) return false;
    // A socket proxy in a container, and we are on the host beside it.
    const containers = (await remote.containerAddresses()).map(canonicalAddress);
    return !found.some((address) => containers.includes(address));
  }
}
