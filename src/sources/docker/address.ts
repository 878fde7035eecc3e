/**
 * Chooses the address that the proxy uses for a container, or says why there is none. The choice
 * depends on what the engine shows and on where the proxy runs. Pure. It does not test the address.
 */
import type { Container, Network } from "../../engine/container.ts";
import { inUrl } from "../../ground/ip-address.ts";
import type { Settings } from "../labels.ts";

/** Where the proxy itself runs. */
export type Place =
  /** On the host, or in a container on the host's network: it can reach all bridge networks. */
  | { readonly kind: "host" }
  | {
      readonly kind: "container";
      readonly networks: readonly Network[];
      /** The address of `host.docker.internal`; undefined if the name does not resolve. */
      readonly hostAddress: string | undefined;
    }
  /** On another machine than the engine. */
  | {
      readonly kind: "foreign";
      /** Name or address of the engine's machine, as written in DOCKER_HOST. */
      readonly engineHost: string;
    };

export type Address =
  | {
      readonly kind: "address";
      /** Written as in a URL: an IPv6 address is in brackets. */
      readonly host: string;
      /** Why the container may not be reachable at this address. */
      readonly doubt?: string;
    }
  | { readonly kind: "none"; readonly reason: string };

const LOOPBACK = "127.0.0.1";
const SHARES_WITH = "container:";

/**
 * Chooses the network that `inference.network` names. Without that label it chooses a network that
 * the proxy is on too (compared by id). If there is no such network, it chooses the first by name.
 *
 * Docker silently drops packets to a network that the proxy is not on, so a wrong choice costs a
 * connect timeout. In that case the result has a `doubt`.
 *
 * @param peer the container whose network this one shares; undefined if it shares none
 */
export function chooseAddress(
  container: Container,
  settings: Settings,
  place: Place,
  peer?: Container,
): Address {
  const shared = sharedContainerId(container);
  if (shared !== undefined) return viaPeer(container, settings, place, peer);
  if (container.networkMode === "host") return onHost(place);
  const reachable = container.networks
    .filter(({ ipv4, ipv6 }) => ipv4 !== "" || ipv6 !== "")
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (settings.network !== undefined) {
    const named = reachable.find(({ name }) => name === settings.network);
    return named === undefined ? notOn(settings.network, container) : at(named, container, place);
  }
  const common = reachable.find((network) => isShared(network, place));
  const chosen = common ?? reachable[0];
  return chosen === undefined ? withoutNetwork(container) : at(chosen, container, place);
}

/**
 * Returns every host that certainly reaches the container, in the form of `Address`. Requests to any
 * other host may never arrive.
 *
 * @param peer as for `chooseAddress`
 */
export function reachableHosts(
  container: Container,
  place: Place,
  peer?: Container,
): readonly string[] {
  const owner = sharedContainerId(container) === undefined ? container : peer;
  if (owner === undefined) return [];
  const addresses =
    owner.networkMode === "host" ? hostAddresses(place) : ownAddresses(owner, place);
  return addresses.filter((address) => address !== "").map(inUrl);
}

function hostAddresses(place: Place): readonly string[] {
  if (place.kind === "host") return [LOOPBACK];
  if (place.kind === "foreign") return [];
  return [place.hostAddress ?? "", ...place.networks.map(({ gateway }) => gateway)];
}

function ownAddresses({ networks }: Container, place: Place): readonly string[] {
  return networks
    .filter((network) => place.kind === "host" || isShared(network, place))
    .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
}

/** The id of the container whose network this one shares (`--network container:x`), if it does. */
export function sharedContainerId({ networkMode }: Container): string | undefined {
  return networkMode.startsWith(SHARES_WITH) ? networkMode.slice(SHARES_WITH.length) : undefined;
}

/**
 * The container answers at the address of its peer. This ends when the peer restarts: then the network
 * that this container joined at its start no longer exists.
 */
function viaPeer(
  container: Container,
  settings: Settings,
  place: Place,
  peer: Container | undefined,
): Address {
  const other = peer?.name ?? container.networkMode.slice(SHARES_WITH.length).slice(0, 12);
  const shares = `it shares the network of container ${JSON.stringify(other)}`;
  if (peer === undefined || (peer.status !== "running" && peer.status !== "paused")) {
    return none(`${shares}, which does not run; start that one, then restart this one`);
  }
  if (peer.startedAtMs > container.startedAtMs) {
    return none(`${shares}, which was restarted later; restart this one too`);
  }
  if (sharedContainerId(peer) !== undefined) {
    return none(`${shares}, which shares the network of a third one; share that network directly`);
  }
  return chooseAddress(peer, settings, place);
}

function onHost(place: Place): Address {
  if (place.kind === "host") return { kind: "address", host: LOOPBACK };
  if (place.kind === "foreign") {
    const { engineHost: host } = place;
    const doubt = `the engine is on another machine, and the container uses that machine's network; the proxy tries ${host}`;
    return { kind: "address", host, doubt };
  }
  const gateway = place.networks.find((network) => network.gateway !== "")?.gateway;
  const host = place.hostAddress ?? gateway;
  if (host !== undefined) return { kind: "address", host: inUrl(host) };
  return none(
    "it uses the host's network, and the proxy does not know the host's address; add it to the proxy's container (docker run --add-host host.docker.internal:host-gateway; in Compose extra_hosts: [\"host.docker.internal:host-gateway\"])",
  );
}

function isShared({ id }: Network, place: Place): boolean {
  return place.kind === "container" && place.networks.some((own) => own.id === id);
}

function at(network: Network, container: Container, place: Place): Address {
  const host = inUrl(network.ipv4 === "" ? network.ipv6 : network.ipv4);
  if (place.kind === "host" || isShared(network, place)) return { kind: "address", host };
  if (place.kind === "foreign") {
    const doubt = `the engine is on another machine (${place.engineHost}), and network ${network.name} is there too; the proxy tries the container's address anyway`;
    return { kind: "address", host, doubt };
  }
  const own = place.networks.length === 0 ? "on no network" : `on ${namesOf(place.networks)}`;
  const sharesAnother = container.networks.some((other) => isShared(other, place));
  const what = sharesAnother ? `the proxy is not on network ${network.name}` : "no shared network";
  const doubt = `${what}: the container is ${connectedTo(container)}; the proxy is ${own}; the proxy tries ${network.name} anyway`;
  return { kind: "address", host, doubt };
}

function notOn(name: string, container: Container): Address {
  return none(
    `label inference.network is ${JSON.stringify(name)}, but the container is ${connectedTo(container)} (Compose adds the project name as a prefix: "project_${name}")`,
  );
}

function withoutNetwork(container: Container): Address {
  return none(
    `no address: the container is ${connectedTo(container)}; connect it to a network that the proxy is on`,
  );
}

function connectedTo({ networks, networkMode }: Container): string {
  if (networks.length === 0) return `connected to no network (network mode ${networkMode})`;
  const word = networks.length === 1 ? "network" : "networks";
  return `connected to ${word} ${namesOf(networks)}`;
}

function namesOf(networks: readonly Network[]): string {
  return networks
    .map(({ name }) => name)
    .sort()
    .join(", ");
}

function none(reason: string): Address {
  return { kind: "none", reason };
}
