/**
 * Inference servers on a real engine, one in each kind of network that a container can use, all at the same
 * time.
 */

import { createNetwork, type Endpoint, endpointsOf } from "../engine/networks.ts";
import { removeServers, type Server, type ServerInit, startServer } from "../engine/real.ts";
import { freePort } from "../proxy/compiled.ts";
import { dockerCli } from "./inference-server/image.ts";

/** The name of each server. Its only model has the same name. */
export const SERVERS = [
  "bridge",
  "on a",
  "on a and b",
  "on a and b (label b)",
  "on a (label b)",
  "internal",
  "host",
  "container",
  "none",
] as const;
export type ServerKey = (typeof SERVERS)[number];

/** `bridge` is the engine's default network. */
export type NetworkKey = "a" | "b" | "internal" | "six" | "bridge";

/** Any unique local prefix works (RFC 4193). */
const SUBNET_V6 = "fd6c:7769:7072::/64";
/** The host's address in the network `six`. */
export const GATEWAY_V6 = "fd6c:7769:7072::1";

export type NetworkedServers = {
  /** The engine's names of the networks. */
  readonly networks: Readonly<Record<NetworkKey, string>>;
  readonly server: (key: ServerKey) => Server;
  readonly port: (key: ServerKey) => string;
  /** The server `container` shares the network of another container, so it has the same endpoints. */
  readonly endpoint: (key: ServerKey, network: NetworkKey) => Endpoint;
};

/** The networks of each server. */
export const CONNECTED: Readonly<Record<ServerKey, readonly NetworkKey[]>> = {
  bridge: ["bridge"],
  "on a": ["a"],
  "on a and b": ["a", "b"],
  "on a and b (label b)": ["a", "b"],
  "on a (label b)": ["a"],
  internal: ["internal"],
  host: [],
  container: ["a", "b"],
  none: [],
};

/** @param cleanUp gets everything that was made, so that it can be removed even if this throws */
export async function startNetworkedServers(
  cleanUp: AsyncDisposableStack,
): Promise<NetworkedServers> {
  const networks = await createNetworks(cleanUp);
  const ports: Partial<Record<ServerKey, string>> = { host: String(freePort()), container: "9000" };
  cleanUp.defer(removeServers);
  const servers = await startAll(networks, ports);
  const server = (key: ServerKey): Server => {
    const found = servers.get(key);
    if (found === undefined) throw new Error(`Cannot use server "${key}": it was not started`);
    return found;
  };
  const endpoints = await endpointsOf(SERVERS.map((key) => server(key).name));
  return {
    networks,
    server,
    port: (key) => ports[key] ?? "8000",
    endpoint: (key, network) => {
      const { name } = server(key === "container" ? "on a and b" : key);
      const found = endpoints.get(name)?.get(networks[network]);
      if (found === undefined) throw new Error(`Server "${key}" is not on network "${network}"`);
      return found;
    },
  };
}

async function createNetworks(
  cleanUp: AsyncDisposableStack,
): Promise<Readonly<Record<NetworkKey, string>>> {
  const create = async (...flags: readonly string[]): Promise<string> =>
    cleanUp.use(await createNetwork(...flags)).name;
  const [a, b, internal, six] = await Promise.all([
    create(),
    create(),
    create("--internal"),
    create("--ipv6", "--subnet", SUBNET_V6, "--gateway", GATEWAY_V6),
  ]);
  return { a, b, internal, six, bridge: "bridge" };
}

async function startAll(
  { a, b, internal }: Readonly<Record<NetworkKey, string>>,
  ports: Partial<Record<ServerKey, string>>,
): Promise<ReadonlyMap<ServerKey, Server>> {
  const servers = new Map<ServerKey, Server>();
  const start = async (key: ServerKey, network: string, labels = {}): Promise<Server> => {
    const port = ports[key];
    const server = await startServer({
      env: { MODELS: key, ...(port !== undefined && { PORT: port }) },
      labels: { ...labels, ...(port !== undefined && { "inference.port": port }) },
      flags: ["--network", network],
    } satisfies ServerInit);
    servers.set(key, server);
    return server;
  };
  const labelB = { "inference.network": b };
  await Promise.all([
    start("bridge", "bridge"),
    start("on a", a),
    start("on a and b", b).then(async ({ name }) => {
      await dockerCli("network", "connect", a, name);
      await start("container", `container:${name}`);
    }),
    start("on a and b (label b)", a, labelB).then(({ name }) =>
      dockerCli("network", "connect", b, name),
    ),
    start("on a (label b)", a, labelB),
    start("internal", internal),
    start("host", "host"),
    start("none", "none"),
  ]);
  return servers;
}
