/**
 * Finds out and holds where the proxy runs: on the host, in which networks, or on another machine than
 * the engine. It does not choose the address of any container.
 */

import type { Container } from "../../engine/container.ts";
import { EngineError } from "../../engine/error.ts";
import { coalesce } from "../../ground/coalesce.ts";
import { sentence } from "../../ground/sentence.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Place } from "./address.ts";
import { canonicalAddress, isLoopback } from "./own-addresses.ts";

/** An engine that we ask over the network. */
export type RemoteEngine = {
  /** As written in DOCKER_HOST. */
  readonly host: string;
  /**
   * Returns its addresses, canonical; an empty list if its name does not resolve. It must end within
   * seconds, and must not throw.
   */
  readonly lookUp: () => Promise<readonly string[]>;
  /**
   * Returns the addresses of its containers.
   *
   * @throws {EngineError} if the call fails
   */
  readonly containerAddresses: () => Promise<readonly string[]>;
};

export type OwnPlaceInit = {
  /**
   * The id of the container that we run in, if the kernel shows it; undefined if we run in no container.
   */
  readonly ownContainerId: string | undefined;
  /** @throws {EngineError} if the call fails */
  readonly inspect: (id: string) => Promise<Container | undefined>;
  /** Looks up the host's address as a container sees it. It may take long, and must not throw. */
  readonly lookUpHost: () => Promise<string | undefined>;
  /** Undefined if we ask the engine over a unix socket: then it is on our machine. */
  readonly remote: RemoteEngine | undefined;
  /** Returns the addresses of our network interfaces, canonical (see `canonicalAddress`). */
  readonly ownAddresses: () => readonly string[];
  /** Called when the host's address has changed. */
  readonly onChange: () => void;
  readonly log: Log;
  /** How long we keep asking an engine that refuses to show our own container, ms. */
  readonly refusedMs?: number;
};

const HOST: Place = { kind: "host" };
const REFUSED_MS = 5_000;

export class OwnPlace {
  readonly #init: OwnPlaceInit;
  /** Our own container, or why we do not know it. Undefined until the first read. */
  #own: Container | "none" | "refused" | undefined;
  #isForeign = false;
  #addresses: readonly string[] = [];
  #refusedSinceMs: number | undefined;
  readonly #known = Promise.withResolvers<void>();
  #hostAddress: string | undefined;
  /** Looks up the host's address. This may take 10 s, so it runs in the background. */
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
   * Resolves after the first read of the place. Before that we do not know how to reach any container.
   */
  get known(): Promise<void> {
    return this.#known.promise;
  }

  /** Where the proxy runs. Callers may read it only after `known` has resolved. */
  get place(): Place {
    const own = this.#own;
    if (own === undefined)
      throw new Error("Cannot tell where the proxy runs: it has not been read yet");
    if (this.#isForeign && this.#init.remote !== undefined) {
      return { kind: "foreign", engineHost: this.#init.remote.host };
    }
    if (typeof own === "string" || own.networkMode === "host") return HOST;
    return { kind: "container", networks: own.networks, hostAddress: this.#hostAddress };
  }

  /** The container whose network we are in; undefined if the engine does not know it. */
  get container(): Container | undefined {
    return typeof this.#own === "object" ? this.#own : undefined;
  }

  /** The addresses of our network interfaces, canonical. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /**
   * Reads the place again, because the proxy may join and leave networks while it runs.
   *
   * @param isHostAsked true if some container is on the host's network
   * @throws {EngineError} if this and all earlier reads have failed
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
      // Not found: we run in a container of another engine, so this engine does not know our networks.
      const own = (await inspect(ownContainerId)) ?? "none";
      this.#refusedSinceMs = undefined;
      return own;
    } catch (error) {
      if (this.#own === undefined && this.#isRefusedForLong(error)) return "refused";
      throw error;
    }
  }

  /**
   * Decides whether to continue without our own container. We do so when the engine has refused to show
   * it for long enough. We do not when the engine gives no answer: then it cannot show any container.
   */
  #isRefusedForLong(error: unknown): boolean {
    if (!(error instanceof EngineError) || error.kind === "unreachable") {
      this.#refusedSinceMs = undefined;
      return false;
    }
    this.#refusedSinceMs ??= performance.now();
    const { log, refusedMs = REFUSED_MS } = this.#init;
    if (performance.now() - this.#refusedSinceMs < refusedMs) return false;
    log.warn("own container unknown", {
      reason: `${sentence(error.message)} The proxy now assumes that it runs on the host and reaches every network.`,
    });
    return true;
  }

  /**
   * True if the engine seems to be on another machine. We call this when the engine does not know our
   * container: then we are on its host, or reach it only over the network.
   */
  async #seemsForeign(): Promise<boolean> {
    const { remote } = this.#init;
    if (remote === undefined) return false;
    const found = await remote.lookUp();
    if (found.length === 0) return this.#isForeign; // not resolved: keep the last answer
    const isHere = (address: string): boolean =>
      isLoopback(address) || this.#addresses.includes(address);
    if (found.some(isHere)) return false;
    // A container with the engine's address is a socket proxy, and we run on its host.
    const containers = (await remote.containerAddresses()).map(canonicalAddress);
    return !found.some((address) => containers.includes(address));
  }
}
