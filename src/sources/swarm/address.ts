/**
 * Chooses the address at which the proxy reaches a task, or says why there is none. Pure. It does not try whether the
 * address answers. Source: FACTS of issue 20: an overlay network is reached only by those who are on it, and nobody
 * reaches a task by its address in the network of the routing mesh.
 */
import type { SwarmNode, SwarmTask, TaskNetwork } from "../../engine/swarm.ts";
import { inUrl } from "../../ground/ip-address.ts";
import { isLoopback } from "../docker/own-addresses.ts";
import type { Settings } from "../labels.ts";

/** Where the proxy itself is, as the swarm sees it. */
export type Whereabouts = {
  /** The networks that it is on. */
  readonly networks: readonly { readonly id: string; readonly name: string }[];
  /** It runs in no container, or in one on the host's network: then it reaches no overlay network. */
  readonly isOnHost: boolean;
};

export type TaskAddress =
  | {
      readonly kind: "address";
      /** Written as in a URL. */
      readonly host: string;
      readonly port: number;
      /** It is an address of the task's node, and not the task's own. */
      readonly isOfNode: boolean;
    }
  /** It is not known before the task runs. */
  | { readonly kind: "not yet"; readonly reason: string }
  | { readonly kind: "none"; readonly reason: string };

/** @param node the node that the task is on; undefined if it is not known */
export function addressOf(
  task: SwarmTask,
  settings: Settings,
  whereabouts: Whereabouts,
  node: SwarmNode | undefined,
): TaskAddress {
  const networks = task.networks
    .filter(({ isIngress }) => !isIngress)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const { network: wanted, port } = settings;
  const usable = wanted === undefined ? networks : networks.filter(({ name }) => name === wanted);
  if (wanted !== undefined && usable.length === 0) return none(notOn(wanted, networks));
  for (const network of usable) {
    const [address] = network.addresses;
    if (address !== undefined && isShared(network, whereabouts)) {
      return { kind: "address", host: inUrl(address), port, isOfNode: false };
    }
  }
  return onNode(task, port, whereabouts, node) ?? none(unreachable(usable, whereabouts, port));
}

/** The task listens on its node: it is on the node's network, or publishes the port there. */
function onNode(
  task: SwarmTask,
  port: number,
  { isOnHost }: Whereabouts,
  node: SwarmNode | undefined,
): TaskAddress | undefined {
  const isOnNodesNetwork = task.networks.some(isHostNetwork);
  const published = task.hostPorts.find(
    ({ protocol, targetPort }) => protocol === "tcp" && targetPort === port,
  )?.publishedPort;
  const nodePort = isOnNodesNetwork ? port : published;
  if (nodePort === undefined) return undefined;
  if (nodePort === 0) return { kind: "not yet", reason: NO_PORT };
  if (node === undefined || node.address === "") return none(NO_NODE);
  if (isLoopback(node.address) && !isOnHost) return none(LOOPBACK_NODE);
  return { kind: "address", host: inUrl(node.address), port: nodePort, isOfNode: true };
}

const NO_PORT = "the manager does not tell yet which port of its node leads to it";

const NO_NODE =
  "the address of its node is not known: the manager does not tell it; a socket proxy must have NODES=1";

const LOOPBACK_NODE =
  "its node has told the swarm a loopback address, which leads nowhere from here; give it another one (docker swarm init --advertise-addr)";

/** The node's own network, for `--network host`. It shows no addresses. */
function isHostNetwork({ name, addresses }: TaskNetwork): boolean {
  return name === "host" && addresses.length === 0;
}

function isShared({ id }: TaskNetwork, { networks }: Whereabouts): boolean {
  return networks.some((own) => own.id === id);
}

function notOn(wanted: string, networks: readonly TaskNetwork[]): string {
  return `label inference.network is ${JSON.stringify(wanted)}, but the service is on ${namesOf(networks)} (a stack puts its name before a network's: "stack_${wanted}")`;
}

function unreachable(
  networks: readonly TaskNetwork[],
  { networks: own, isOnHost }: Whereabouts,
  port: number,
): string {
  const publish = `publish port ${port} with mode=host`;
  if (networks.length === 0) {
    return `its service is on no overlay network; give it one that the proxy is on too, or ${publish}`;
  }
  const is = `no shared network: the service is on ${namesOf(networks)}`;
  if (isOnHost) {
    return `${is}; the proxy runs on a host, which reaches no overlay network: run it as a service or container there, or ${publish}`;
  }
  return `${is}; the proxy is on ${namesOf(own)}; put both on one overlay network`;
}

function namesOf(networks: readonly { readonly name: string }[]): string {
  const names = networks.map(({ name }) => name).sort();
  return names.length === 0 ? "none" : names.join(", ");
}

function none(reason: string): TaskAddress {
  return { kind: "none", reason };
}
