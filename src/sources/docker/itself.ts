/** Whether a container is the proxy itself, or an address leads back to it. Pure. */
import type { Container, PublishedPort } from "../../engine/container.ts";
import { canonicalAddress, isLoopback } from "./own-addresses.ts";

export type Listening = {
  /** The address that we listen at; undefined: all. */
  readonly host: string | undefined;
  readonly port: number;
};

/** What is known of us. */
export type Itself = {
  /** The container whose network we are in, if the engine knows it: ours, or the one that ours shares it with. */
  readonly container: Container | undefined;
  /** Base name of the program that this process runs. */
  readonly program: string;
  /** Of our interfaces, canonical. */
  readonly addresses: readonly string[];
  readonly listening: Listening;
};

/**
 * With `--network container:x` all that a process can learn of its container's id is x: what x runs
 * tells whether it is us.
 */
export function isItself({ id, programs }: Container, { container, program }: Itself): boolean {
  return id === container?.id && programs.includes(program);
}

type Target = {
  /** As in a URL. */
  readonly host: string;
  readonly port: number;
  /** Whether it is on the host's network. */
  readonly isOnHost: boolean;
};

/** @returns why what is sent there would come back to us; undefined: it would not */
export function loopAt({ host, port, isOnHost }: Target, itself: Itself): string | undefined {
  const { addresses, container, listening } = itself;
  const address = canonicalAddress(host);
  const isOurs = isLoopback(address) || addresses.includes(address);
  if (isOurs && port === listening.port && covers(listening.host, address)) {
    return `${host}:${port} is where the proxy itself listens: ${LOOP}`;
  }
  const leadsToUs = (published: PublishedPort): boolean =>
    published.port === listening.port &&
    published.hostPort === port &&
    covers(published.hostAddress, address);
  return isOnHost && container?.published.some(leadsToUs) === true
    ? `port ${port} of the host is published by the proxy's own container: ${LOOP}`
    : undefined;
}

const LOOP = "requests would come back to it; write the server's own port in label inference.port";

/** All addresses of both kinds: what a port is published at is not always told for each. */
const ANY: readonly string[] = ["", "0.0.0.0", "::"];

/** @param address canonical */
function covers(listening = "", address: string): boolean {
  const own = canonicalAddress(listening);
  return ANY.includes(own) || own === address;
}
