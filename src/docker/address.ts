/** Container (and our own networks) → the address to reach it at, or why there is none. Pure. */
import type { Container, Network } from "./container.ts";
import type { Settings } from "./labels.ts";

export type Address =
  /** `host` as it stands in a URL: an IPv6 address in brackets. */
  | { readonly kind: "address"; readonly host: string; readonly network: string }
  | { readonly kind: "none"; readonly reason: string };

/**
 * The network that `inference.network` names; else one that the proxy shares, by id; else the first
 * by name. Another user network drops packets silently, so a wrong choice costs a connect time-out.
 *
 * @param ownNetworkIds networks of the proxy's own container; undefined if it runs on the host
 */
export function chooseAddress(
  container: Container,
  settings: Settings,
  ownNetworkIds: ReadonlySet<string> | undefined,
): Address {
  const reachable = container.networks
    .filter(({ ipv4, ipv6 }) => ipv4 !== "" || ipv6 !== "")
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (settings.network !== undefined) return named(settings.network, reachable, container);
  const shared = reachable.find(({ id }) => ownNetworkIds?.has(id));
  const chosen = shared ?? reachable[0];
  return chosen === undefined ? none(container) : at(chosen);
}

function named(name: string, reachable: readonly Network[], container: Container): Address {
  const network = reachable.find((each) => each.name === name);
  if (network !== undefined) return at(network);
  return {
    kind: "none",
    reason: `label inference.network is ${JSON.stringify(name)}, but the container ${connectedTo(container)} (Compose puts the project's name before a network's: "project_${name}")`,
  };
}

function none(container: Container): Address {
  return {
    kind: "none",
    reason: `no address: the container ${connectedTo(container)}; connect it to a network that the proxy is on`,
  };
}

function connectedTo({ networks, networkMode }: Container): string {
  if (networks.length === 0)
    return `has network mode ${JSON.stringify(networkMode)} and no network of its own`;
  return `is on ${networks.map(({ name }) => JSON.stringify(name)).join(", ")}`;
}

function at({ name, ipv4, ipv6 }: Network): Address {
  return { kind: "address", host: ipv4 === "" ? `[${ipv6}]` : ipv4, network: name };
}
