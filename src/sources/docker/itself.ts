/** Decides whether a container is the proxy itself, and whether an address leads back to it. Pure. */
import type { Container, PublishedPort } from "../../engine/container.ts";
import { canonicalAddress, isLoopback } from "./own-addresses.ts";

export type Listening = {
  /** The address that the proxy listens at; undefined means all addresses. */
  readonly host: string | undefined;
  readonly port: number;
};

/** What we know about the proxy itself. */
export type Itself = {
  /**
   * The container that owns our network: our own container, or the one whose network ours shares.
   * Undefined if the engine knows no such container.
   */
  readonly container: Container | undefined;
  /** Base name of the program that this process runs. */
  readonly program: string;
  /** The addresses of our network interfaces, canonical (see `canonicalAddress`). */
  readonly addresses: readonly string[];
  readonly listening: Listening;
};

/**
 * True if the container runs this proxy. With `--network container:x`, our process can only find the
 * id of x. So the id alone is not enough: x must also run our program.
 */
export function isItself({ id, programs }: Container, { container, program }: Itself): boolean {
  return id === container?.id && programs.includes(program);
}

type Target = {
  /** Written as in a URL. */
  readonly host: string;
  readonly port: number;
  /** True if the target is on the host's network. */
  readonly isOnHost: boolean;
};

/** @returns why a request to the target would come back to us; undefined if it would not */
export function loopAt({ host, port, isOnHost }: Target, itself: Itself): string | undefined {
  const { addresses, container, listening } = itself;
  const address = canonicalAddress(host);
  const isOurs = isLoopback(address) || addresses.includes(address);
  if (isOurs && port === listening.port && covers(listening.host, address)) {
    return `the proxy itself listens at ${host}:${port}, so ${LOOP}`;
  }
  const leadsToUs = (published: PublishedPort): boolean =>
    published.port === listening.port &&
    published.hostPort === port &&
    covers(published.hostAddress, address);
  return isOnHost && container?.published.some(leadsToUs) === true
    ? `the proxy's own container publishes port ${port} of the host, so ${LOOP}`
    : undefined;
}

const LOOP = "requests would come back; write the server's own port in label inference.port";

/**
 * Each of these means all addresses, IPv4 and IPv6: the engine does not always list such a port for
 * both kinds.
 */
const ANY: readonly string[] = ["", "0.0.0.0", "::"];

/** @param address canonical */
function covers(listening = "", address: string): boolean {
  const own = canonicalAddress(listening);
  return ANY.includes(own) || own === address;
}
