/**
 * Chooses the address that the proxy uses for a task, or says why there is none. Pure. It does not test
 * the address. Source: FACTS of issue 20: only members of an overlay network can reach it, and a task
 * cannot be reached at its address in the network of the routing mesh.
 */
import type { SwarmNode, SwarmTask, TaskNetwork } from "../../engine/swarm.ts";
import { inUrl } from "../../ground/ip-address.ts";
import { isLoopback } from "../docker/own-addresses.ts";
import type { Settings } from "../labels.ts";

/** Where the proxy itself is, as the swarm sees it. */
export type Whereabouts = {
  /** The networks that it is on. */
  readonly networks: readonly { readonly id: string; readonly name: string }[];
  /** True outside a container and in a container on the host's network. Then it reaches no overlay network. */
  readonly isOnHost: boolean;
};

export type TaskAddress =
  | {
      readonly kind: "address";
      /** Written as in a URL. */
      readonly host: string;
      readonly port: number;
      /** True if it is the address of the task's node, and not the task's own. */
      readonly isOfNode: boolean;
    }
  /** The address becomes known when the task runs. */
  | { readonly kind: "not yet"; readonly reason: string }
  | { readonly kind: "none"; readonly reason: string };

/** @param node the node of the task; undefined if unknown */
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

/** For a task that listens on its node: it uses the node's network, or publishes the port there. */
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

const NO_PORT = "the manager has not reported yet which port of its node leads to it";

const NO_NODE =
  "the proxy does not know the address of its node, because the manager does not report it; a socket proxy needs NODES=1";

const LOOPBACK_NODE =
  "its node advertises a loopback address, which the proxy cannot reach; give the node another one (docker swarm init --advertise-addr)";

/** The node's own network, for `--network host`. It has no addresses. */
function isHostNetwork({ name, addresses }: TaskNetwork): boolean {
  return name === "host" && addresses.length === 0;
}

function isShared({ id }: TaskNetwork, { networks }: Whereabouts): boolean {
  return networks.some((own) => own.id === id);
}

function notOn(wanted: string, networks: readonly TaskNetwork[]): string {
  return `label inference.network is ${JSON.stringify(wanted)}, but the service is on ${namesOf(networks)} (a stack adds its name as a prefix: "stack_${wanted}")`;
}

function unreachable(
  networks: readonly TaskNetwork[],
  { networks: own, isOnHost }: Whereabouts,
  port: number,
): string {
  const publish = `publish port ${port} with mode=host`;
  if (networks.length === 0) {
    return `its service is on no overlay network; connect it to one that the proxy is on, or ${publish}`;
  }
  const is = `no shared network: the service is on ${namesOf(networks)}`;
  if (isOnHost) {
    return `${is}; the proxy uses a host's network, which reaches no overlay network; run the proxy as a service or container on that network, or ${publish}`;
  }
  return `${is}; the proxy is on ${namesOf(own)}; put both on one overlay network`;
}

function namesOf(networks: readonly { readonly name: string }[]): string {
  const names = networks.map(({ name }) => name).sort();
  return names.length === 0 ? "no network" : names.join(", ");
}

function none(reason: string): TaskAddress {
  return { kind: "none", reason };
}
