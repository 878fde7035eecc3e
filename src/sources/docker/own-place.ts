/**
 * Finds out and holds where the proxy itself runs: on the host, in which networks, or on another
 * machine than the engine. It does not choose the address of any container.
 */

import type { Container } from "../../engine/container.ts";
import { EngineError } from "../../engine/error.ts";
import { coalesce } from "../../ground/coalesce.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Place } from "./address.ts";
import { canonicalAddress, isLoopback } from "./own-addresses.ts";

/** An engine that we ask over the network. */
export type RemoteEngine = {
  /** As written in DOCKER_HOST. */
  readonly host: string;
  /**
   * Returns its addresses, canonical; none if its name does not resolve. Must end within seconds,
   * and must not throw.
   */
  readonly lookUp: () => Promise<readonly string[]>;
  /**
   * Returns the addresses of its containers.
   *
   * @throws {EngineError} if the engine can't tell
   */
  readonly containerAddresses: () => Promise<readonly string[]>;
};

export type OwnPlaceInit = {
  /**
   * The id of the container that we run in, as far as the kernel tells it; undefined if we run in
   * none.
   */
  readonly ownContainerId: string | undefined;
  /** @throws {EngineError} if the engine can't tell */
  readonly inspect: (id: string) => Promise<Container | undefined>;
  /** Looks up the host's address as a container sees it. May take long, and must not throw. */
  readonly lookUpHost: () => Promise<string | undefined>;
  /** Undefined if we ask the engine over a unix socket: then it is on our machine. */
  readonly remote: RemoteEngine | undefined;
  /** Returns the addresses of our network interfaces, canonical (see `canonicalAddress`). */
  readonly ownAddresses: () => readonly string[];
  /** Called when the host has another address than before. */
  readonly onChange: () => void;
  readonly log: Log;
  /** How long we keep asking an engine that refuses to tell of our own container, ms. */
  readonly refusedMs?: number;
};

const HOST: Place = { kind: "host" };
const REFUSED_MS = 5_000;

export class OwnPlace {
  readonly #init: OwnPlaceInit;
  /** Our own container, or why we know none. Undefined until it was read for the first time. */
  #own: Container | "none" | "refused" | undefined;
  #isForeign = false;
  #addresses: readonly string[] = [];
  #refusedSinceMs: number | undefined;
  readonly #known = Promise.withResolvers<void>();
  #hostAddress: string | undefined;
  /** Looks up the host's address. It may take 10 s, so it runs beside everything else. */
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

  /**
   * Resolves when the place has been read for the first time. Before that we can't tell how to
   * reach any container.
   */
  get known(): Promise<void> {
    return this.#known.promise;
  }

  /** Where the proxy runs. May be read only once it is known. */
  get place(): Place {
    const own = this.#own;
    if (own === undefined) throw new Error("where the proxy is has not been read yet");
    if (this.#isForeign && this.#init.remote !== undefined) {
      return { kind: "foreign", engineHost: this.#init.remote.host };
    }
    if (typeof own === "string" || own.networkMode === "host") return HOST;
    return { kind: "container", networks: own.networks, hostAddress: this.#hostAddress };
  }

  /** The container whose network we are in; undefined if the engine knows none. */
  get container(): Container | undefined {
    return typeof this.#own === "object" ? this.#own : undefined;
  }

  /** The addresses of our network interfaces, canonical. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /**
   * Reads the place again, since networks are joined and left while the proxy runs.
   *
   * @param isHostAsked true if some container is on the host's network
   * @throws {EngineError} if the place has never been read, and can't be read now
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
      // Not found: we run in a container of another engine, so its networks are not this engine's.
      const own = (await inspect(ownContainerId)) ?? "none";
      this.#refusedSinceMs = undefined;
      return own;
    } catch (error) {
      if (this.#own === undefined && this.#isRefusedForLong(error)) return "refused";
      throw error;
    }
  }

  /**
   * Decides whether to go on without our own container. We do when the engine has refused to tell
   * of it for long enough. We do not when the engine gives no answer: then there is nothing to look
   * at anyway.
   */
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

  /**
   * True if the engine seems to be on another machine. Asked when the engine knows no container of
   * ours: then we are on its host, or reach it only over the network.
   */
  async #seemsForeign(): Promise<boolean> {
    const { remote } = this.#init;
    if (remote === undefined) return false;
    const found = await remote.lookUp();
    if (found.length === 0) return this.#isForeign; // not resolved: the last answer stays
    const isHere = (address: string): boolean =>
      isLoopback(address) || this.#addresses.includes(address);
    if (found.some(isHere)) return false;
    // A container has the engine's address: it is a socket proxy, and we run on the host beside it.
    const containers = (await remote.containerAddresses()).map(canonicalAddress);
    return !found.some((address) => containers.includes(address));
  }
}
