/**
 * Where the proxy looks for a server, on a real engine: servers in every kind of network that a container can
 * use, and proxies in every place where a proxy can run. All run at the same time, and each proxy sees all
 * servers.
 *
 * A server without an IPv4 address is missing here. Engines before 28 give every container on a bridge an IPv4
 * address (they ignore `docker network create --ipv4=false`). tests/sources/docker/address.test.ts tests this
 * case.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chat } from "../../support/client/requests.ts";
import { addressIn } from "../../support/engine/networks.ts";
import { removeLeftovers, startProxy } from "../../support/engine/real.ts";
import { freePort } from "../../support/proxy/compiled.ts";
import {
  buildProxyImage,
  CAN_RUN,
  type ProxyContainerInit,
  socketMount,
  startProxyContainer,
} from "../../support/proxy/image.ts";
import { isWarned, startOf, untilShown } from "../../support/proxy/shown-status.ts";
import { buildInferenceImage } from "../../support/server/inference-server/image.ts";
import {
  CONNECTED,
  GATEWAY_V6,
  type NetworkedServers,
  type NetworkKey,
  SERVERS,
  type ServerKey,
  startNetworkedServers,
} from "../../support/server/networked.ts";
import { until } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;

const cleanUp = new AsyncDisposableStack();
let servers: NetworkedServers;

beforeAll(async () => {
  await removeLeftovers();
  await buildInferenceImage();
  if (CAN_RUN) await buildProxyImage();
  servers = await startNetworkedServers(cleanUp);
}, 300_000);
afterAll(() => cleanUp.disposeAsync(), TIMEOUT_MS);

/** Where the proxy looks for a server. A network's name means the server's address in that network. */
type Where =
  | NetworkKey
  /** The proxy tries this network and fails, because it is not on it. */
  | `?${NetworkKey}`
  | "loopback"
  /** The host's address in that network. */
  | "host in a"
  | "host in b"
  | "host in bridge"
  | "host by IPv6"
  | "nowhere";

type Expected = Readonly<Record<ServerKey, Where>>;

const FROM_HOST: Expected = {
  bridge: "bridge",
  "on a": "a",
  "on a and b": "a",
  "on a and b (label b)": "b",
  "on a (label b)": "nowhere",
  internal: "internal",
  host: "loopback",
  container: "a",
  none: "nowhere",
};
const SHARING_NONE: Expected = {
  bridge: "?bridge",
  "on a": "?a",
  "on a and b": "?a",
  "on a and b (label b)": "?b",
  "on a (label b)": "nowhere",
  internal: "?internal",
  host: "host in bridge",
  container: "?a",
  none: "nowhere",
};
const ON_BRIDGE: Expected = { ...SHARING_NONE, bridge: "bridge" };
const ON_A: Expected = { ...SHARING_NONE, "on a": "a", "on a and b": "a", container: "a" };
const ON_B_AND_INTERNAL: Expected = {
  ...SHARING_NONE,
  "on a and b": "b",
  "on a and b (label b)": "b",
  internal: "internal",
  host: "host in b",
  container: "b",
};

type Proxy = AsyncDisposable & { readonly origin: string; readonly log: () => Promise<string> };

async function onHost(): Promise<Proxy> {
  const proxy = await startProxy();
  const log = async (): Promise<string> => proxy.log().map(toLine).join("\n");
  return { origin: proxy.origin, log, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() };
}

function toLine(entry: unknown): string {
  return JSON.stringify(entry);
}

/** @param originOf its address for requests from this host */
async function inContainer(
  { flags = [], ...init }: ProxyContainerInit,
  originOf: (name: string) => Promise<string> | string,
): Promise<Proxy> {
  const proxy = await startProxyContainer({ ...init, flags: [...socketMount(), ...flags] });
  return { ...proxy, origin: await originOf(proxy.name) };
}

function inNetwork(network: NetworkKey, init: ProxyContainerInit = {}): Promise<Proxy> {
  const name = servers.networks[network];
  const flags = ["--network", name, ...(init.flags ?? [])];
  return inContainer(
    { ...init, flags },
    async (proxy) => `http://${await addressIn(name, proxy)}:8080`,
  );
}

function inHostNetwork(): Promise<Proxy> {
  const port = freePort();
  const init = { flags: ["--network", "host"], env: { PROXY_PORT: String(port) } };
  return inContainer(init, () => `http://127.0.0.1:${port}`);
}

function inNetworkOf(key: ServerKey): Promise<Proxy> {
  const origin = `http://${servers.endpoint(key, "a").address}:8080`;
  const { name } = servers.server(key);
  return inContainer({ flags: ["--network", `container:${name}`] }, () => origin);
}

function hostAs(address: string): ProxyContainerInit {
  return { flags: ["--add-host", `host.docker.internal:${address}`] };
}

type Case = {
  readonly start: () => Promise<Proxy>;
  /** The networks that the proxy is on. */
  readonly own: readonly NetworkKey[];
  readonly expected: Expected;
};

const CASES: Readonly<Record<string, Case>> = {
  "on the host": { start: onHost, own: [], expected: FROM_HOST },
  "in a container on the host's network": { start: inHostNetwork, own: [], expected: FROM_HOST },
  "on the default bridge": {
    start: () => inNetwork("bridge"),
    own: ["bridge"],
    expected: ON_BRIDGE,
  },
  "on a, with host.docker.internal": {
    start: () => inNetwork("a", hostAs("host-gateway")), // the host's address on the default bridge
    own: ["a"],
    expected: ON_A,
  },
  "on b and an internal network": {
    start: () => inNetwork("b", { networks: [servers.networks.internal] }),
    own: ["b", "internal"],
    expected: ON_B_AND_INTERNAL,
  },
  "in the network of a container on a": {
    start: () => inNetworkOf("on a"),
    own: ["a"],
    expected: { ...ON_A, host: "host in a" },
  },
  "on a network with IPv6, and host.docker.internal is an IPv6 address": {
    start: () => inNetwork("six", hostAs(GATEWAY_V6)),
    own: ["six"],
    expected: { ...SHARING_NONE, host: "host by IPv6" },
  },
};

function hostOf(key: ServerKey, where: Exclude<Where, "nowhere">): string {
  switch (where) {
    case "loopback":
      return "127.0.0.1";
    case "host by IPv6":
      return `[${GATEWAY_V6}]`;
    case "host in a":
      return servers.endpoint("on a", "a").gateway;
    case "host in b":
      return servers.endpoint("on a and b", "b").gateway;
    case "host in bridge":
      return servers.endpoint("bridge", "bridge").gateway;
    default:
      return servers.endpoint(key, where.replace("?", "") as NetworkKey).address;
  }
}

function names(networks: readonly NetworkKey[]): string {
  return networks
    .map((network) => servers.networks[network])
    .sort()
    .join(", ");
}

type Shown = Readonly<Record<string, unknown>> & { readonly reason: string };

/** The fields that GET /status must show. The reason is only the start of the real one. */
function statusExpected(key: ServerKey, where: Where, own: readonly NetworkKey[]): Shown {
  const connected = CONNECTED[key];
  const word = connected.length === 1 ? "network" : "networks";
  const container = `the container is connected to ${word} ${names(connected)}`;
  if (where === "nowhere") {
    const label = `label inference.network is "${servers.networks.b}", but ${container} (`;
    const none =
      "no address: the container is connected to network none; connect it to a network that the proxy is on";
    return { state: "ignored", reason: key === "none" ? none : label, address: null, models: [] };
  }
  const address = `http://${hostOf(key, where)}:${servers.port(key)}`;
  if (!where.startsWith("?")) return { state: "routed", reason: "healthy", address, models: [key] };
  const tried = servers.networks[where.slice(1) as NetworkKey];
  const sharesAnother = connected.some((network) => own.includes(network));
  const what = sharesAnother ? `the proxy is not on network ${tried}` : "no shared network";
  const reason = `${what}: ${container}; the proxy is on ${names(own)}; the proxy tries ${tried} anyway; `;
  return { state: "reading_models", reason, address, models: [] };
}

async function check({ start, own, expected }: Case): Promise<void> {
  await using proxy = await start();
  for (const key of SERVERS) {
    const { name } = servers.server(key);
    const { reason, ...shown } = statusExpected(key, expected[key], own);
    await untilShown(proxy.origin, name, {
      ...shown,
      reason: expect.stringMatching(startOf(reason)),
    });
    if (shown["state"] === "routed") {
      const answer = await chat(proxy.origin, key);
      expect([answer.status, answer.headers.get("x-served-by")]).toEqual([200, name]);
    } else {
      await until("the log has the warning", async () => isWarned(await proxy.log(), name, reason));
    }
  }
}

describe("requests arrive where the proxy looks for a server, and the proxy reports servers that it cannot reach", () => {
  for (const [where, one] of Object.entries(CASES)) {
    const runs = where === "on the host" || CAN_RUN;
    (runs ? test.concurrent : test.skip)(where, () => check(one), TIMEOUT_MS);
  }
});
