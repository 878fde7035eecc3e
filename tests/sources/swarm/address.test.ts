import { describe, expect, test } from "bun:test";
import { addressOf, type Whereabouts } from "../../../src/sources/swarm/address.ts";
import { aNetwork, aNode, aTask } from "../../support/engine/swarm-parts.ts";

const SETTINGS = { basePath: "/v1", port: 8000, network: undefined };
const ON_NET: Whereabouts = { networks: [{ id: "net1", name: "ai_inference" }], isOnHost: false };
const ON_HOST: Whereabouts = { networks: [], isOnHost: true };
const INGRESS = aNetwork({
  ...{ id: "ing", name: "ingress", isIngress: true, addresses: ["10.255.0.7"] },
});
const HOST_NETWORK = aNetwork({ id: "host1", name: "host", addresses: [] });
const PORT_8000 = { protocol: "tcp", targetPort: 8000, publishedPort: 32_768 };

function reasonOf(address: ReturnType<typeof addressOf>): string {
  if (address.kind === "address") throw new Error(`It is reached at ${address.host}`);
  return address.reason;
}

describe("addressOf()", () => {
  test("uses the network that the proxy is on too, never the network of the routing mesh", () => {
    const other = aNetwork({ id: "net0", name: "a_other", addresses: ["10.0.9.9"] });
    const task = aTask({ networks: [INGRESS, other, aNetwork()] });
    const whereabouts = {
      ...ON_NET,
      networks: [...ON_NET.networks, { id: "ing", name: "ingress" }],
    };
    expect(addressOf(task, SETTINGS, whereabouts, undefined)).toEqual({
      ...{ kind: "address", host: "10.0.1.5", port: 8000, isOfNode: false },
    });
  });

  test("writes an IPv6 address in brackets", () => {
    const task = aTask({ networks: [aNetwork({ addresses: ["fd00::5"] })] });
    expect(addressOf(task, SETTINGS, ON_NET, undefined)).toMatchObject({ host: "[fd00::5]" });
  });

  test("uses the network that the label names, or none", () => {
    const second = aNetwork({ id: "net2", name: "b", addresses: ["10.0.2.5"] });
    const task = aTask({ networks: [aNetwork(), second] });
    const both = { ...ON_NET, networks: [...ON_NET.networks, { id: "net2", name: "b" }] };
    expect(addressOf(task, { ...SETTINGS, network: "b" }, both, undefined)).toMatchObject({
      host: "10.0.2.5",
    });
    const wrong = reasonOf(addressOf(task, { ...SETTINGS, network: "inference" }, both, undefined));
    expect(wrong).toContain('"inference", but the service is on ai_inference, b');
    expect(wrong).toContain('"stack_inference"');
    const ingress = aTask({ networks: [INGRESS] });
    expect(
      reasonOf(addressOf(ingress, { ...SETTINGS, network: "ingress" }, both, undefined)),
    ).toContain("the service is on no network");
  });

  test("on the host's network: the node's address, with the port of the label", () => {
    const task = aTask({ networks: [HOST_NETWORK] });
    expect(addressOf(task, SETTINGS, ON_NET, aNode())).toEqual({
      ...{ kind: "address", host: "192.168.1.21", port: 8000, isOfNode: true },
    });
  });

  test("with a port published on its node: the node's address, with the published port", () => {
    const udp = { ...PORT_8000, protocol: "udp", publishedPort: 1 };
    const other = { ...PORT_8000, targetPort: 9000, publishedPort: 2 };
    const task = aTask({ networks: [], hostPorts: [udp, other, PORT_8000, PORT_8000] });
    expect(addressOf(task, SETTINGS, ON_HOST, aNode())).toMatchObject({
      ...{ host: "192.168.1.21", port: 32_768, isOfNode: true },
    });
  });

  test("prefers a shared network to a published port", () => {
    const task = aTask({ hostPorts: [PORT_8000] });
    expect(addressOf(task, SETTINGS, ON_NET, aNode())).toMatchObject({ host: "10.0.1.5" });
    expect(addressOf(task, SETTINGS, ON_HOST, aNode())).toMatchObject({ port: 32_768 });
  });

  test("without the node's address: no address, and the reason says what to allow", () => {
    const task = aTask({ networks: [HOST_NETWORK] });
    for (const node of [undefined, aNode({ address: "" })]) {
      expect(reasonOf(addressOf(task, SETTINGS, ON_NET, node))).toContain("NODES=1");
    }
  });

  test("uses a loopback address of a node only from a host", () => {
    const task = aTask({ networks: [HOST_NETWORK] });
    const node = aNode({ address: "127.0.0.1" });
    expect(reasonOf(addressOf(task, SETTINGS, ON_NET, node))).toContain("--advertise-addr");
    expect(addressOf(task, SETTINGS, ON_HOST, node)).toMatchObject({ host: "127.0.0.1" });
  });

  test("an unreachable task: the reason lists the networks and says what to do", () => {
    expect(reasonOf(addressOf(aTask(), SETTINGS, ON_HOST, aNode()))).toBe(
      "no shared network: the service is on ai_inference; the proxy uses a host's network, which reaches no overlay network; run the proxy as a service or container on that network, or publish port 8000 with mode=host",
    );
    const elsewhere = { networks: [{ id: "x", name: "web" }], isOnHost: false };
    expect(reasonOf(addressOf(aTask(), SETTINGS, elsewhere, aNode()))).toBe(
      "no shared network: the service is on ai_inference; the proxy is on web; put both on one overlay network",
    );
    const none = aTask({ networks: [] });
    expect(reasonOf(addressOf(none, SETTINGS, ON_NET, aNode()))).toBe(
      "its service is on no overlay network; connect it to one that the proxy is on, or publish port 8000 with mode=host",
    );
  });
});
