import { describe, expect, test } from "bun:test";
import { type Container, type Network, parseContainer } from "../../../src/engine/container.ts";
import { chooseAddress, type Place, reachableHosts } from "../../../src/sources/docker/address.ts";
import { readFixture } from "../../support/engine/replies.ts";

const CONTAINER = parseContainer(readFixture("docker-20.10.24-user-bridge.json"));
const SETTINGS = { port: 8000, basePath: "/v1", network: undefined };
const HOST: Place = { kind: "host" };

function network(name: string, ipv4: string, { ipv6 = "", gateway = "" } = {}): Network {
  return { name, id: `id-${name}`, ipv4, ipv6, gateway };
}

/** The proxy in a container on these networks. */
function inContainer(own: readonly Network[], hostAddress?: string): Place {
  return { kind: "container", networks: own, hostAddress };
}

/** The address and its doubt, or the reason why there is no address. */
function choose(change: Partial<Container>, place: Place, wanted?: string): string {
  const settings = { ...SETTINGS, network: wanted };
  const address = chooseAddress({ ...CONTAINER, ...change }, settings, place);
  if (address.kind === "none") return address.reason;
  return address.doubt === undefined ? address.host : `${address.host}: ${address.doubt}`;
}

const A = network("a", "10.0.0.1");
const B = network("b", "10.0.1.1");
const C = network("c", "10.0.2.1");
const SIX = network("six", "", { ipv6: "fd00::2" });

describe("chooseAddress()", () => {
  test("on the host: the first network by name, whatever the engine's order is", () => {
    expect(choose({ networks: [B, A] }, HOST)).toBe("10.0.0.1");
  });

  test("in a container: the shared network, by id", () => {
    expect(choose({ networks: [A, B] }, inContainer([network("x", "10.9.9.9"), B]))).toBe(
      "10.0.1.1",
    );
  });

  test("two networks with the same name are different networks", () => {
    const namesake = { ...A, id: "another" };
    expect(choose({ networks: [A] }, inContainer([namesake]))).toContain("no shared network");
  });

  test("in a container without a shared network: the first network with an address, with a doubt", () => {
    expect(choose({ networks: [network("0", ""), B, A] }, inContainer([C]))).toBe(
      "10.0.0.1: no shared network: the container is connected to networks 0, a, b; the proxy is on c; the proxy tries a anyway",
    );
    expect(choose({ networks: [A] }, inContainer([]))).toContain("the proxy is on no network");
  });

  test("prefers inference.network to a shared network, with a doubt if the proxy is not on it", () => {
    expect(choose({ networks: [A, B] }, HOST, "b")).toBe("10.0.1.1");
    expect(choose({ networks: [A, B] }, inContainer([A, B]), "b")).toBe("10.0.1.1");
    expect(choose({ networks: [A, B] }, inContainer([C]), "b")).toStartWith("10.0.1.1: no shared");
  });

  test("an inference.network without the proxy: the doubt names it if another network is shared", () => {
    expect(choose({ networks: [A, B] }, inContainer([A]), "b")).toBe(
      "10.0.1.1: the proxy is not on network b: the container is connected to networks a, b; the proxy is on a; the proxy tries b anyway",
    );
  });

  test("an inference.network without the container: the reason lists the container's networks", () => {
    expect(choose({ networks: [A, B] }, HOST, "c")).toContain("connected to networks a, b");
  });

  test("prefers IPv4 to IPv6, and writes IPv6 in brackets", () => {
    const both = network("both", "10.0.0.9", { ipv6: "fd00::9" });
    expect(choose({ networks: [both] }, HOST)).toBe("10.0.0.9");
    expect(choose({ networks: [SIX] }, HOST)).toBe("[fd00::2]");
  });

  test("without a network or an address: the reason says what the engine shows", () => {
    const none = parseContainer(readFixture("docker-20.10.24-none-network.json"));
    expect(choose(none, HOST)).toContain("no address: the container is connected to network none");
    const exited = parseContainer(readFixture("docker-20.10.24-exited.json"));
    expect(choose(exited, HOST)).toContain("no address");
    expect(choose({ networks: [], networkMode: "lan" }, HOST)).toContain("network mode lan");
  });
});

describe("chooseAddress() from another machine than the engine's", () => {
  const FOREIGN: Place = { kind: "foreign", engineHost: "engine.lan" };
  const onHost = parseContainer(readFixture("docker-20.10.24-host-network.json"));

  test("uses the container's own address, with a doubt", () => {
    expect(choose({ networks: [A, B] }, FOREIGN)).toStartWith("10.0.0.1: the engine is on another");
    expect(choose({ networks: [A, B] }, FOREIGN, "b")).toStartWith("10.0.1.1: the engine is on an");
    expect(reachableHosts({ ...CONTAINER, networks: [A] }, FOREIGN)).toEqual([]);
  });

  test("on the host's network: uses the engine's host with a doubt, and never our own loopback", () => {
    expect(choose(onHost, FOREIGN)).toStartWith("engine.lan: the engine is on another machine");
    expect(reachableHosts(onHost, FOREIGN)).toEqual([]);
  });
});

describe("reachableHosts()", () => {
  const onHost: Partial<Container> = { networkMode: "host", networks: [] };
  const sharing: Partial<Container> = { networkMode: "container:abc", networks: [] };
  const own = network("b", "10.0.1.9", { gateway: "10.0.1.254" });

  test.each<[what: string, change: Partial<Container>, place: Place, expected: string[]]>([
    [
      "on the host: all networks",
      { networks: [A, B, SIX] },
      HOST,
      ["10.0.0.1", "10.0.1.1", "[fd00::2]"],
    ],
    [
      "in a container: the shared networks",
      { networks: [A, B] },
      inContainer([B, C]),
      ["10.0.1.1"],
    ],
    ["in a container without a shared network", { networks: [A] }, inContainer([C]), []],
    ["both on the host's network", onHost, HOST, ["127.0.0.1"]],
    [
      "only the container on the host's network",
      onHost,
      inContainer([A, own], "fd00::1"),
      ["[fd00::1]", "10.0.1.254"],
    ],
    ["another container's network, and that container is missing", sharing, HOST, []],
  ])("%s", (_what, change, place, expected) => {
    expect(reachableHosts({ ...CONTAINER, ...change }, place)).toEqual(expected);
  });

  test("in another container's network: the hosts of that container", () => {
    const peer = { ...CONTAINER, networks: [A, B] };
    expect(reachableHosts({ ...CONTAINER, ...sharing }, inContainer([A]), peer)).toEqual([
      "10.0.0.1",
    ]);
  });
});

describe("chooseAddress() of a container on the host's network", () => {
  const onHost = parseContainer(readFixture("docker-20.10.24-host-network.json"));

  test.each<[where: string, place: Place, expected: string]>([
    ["the proxy is on the host's network too", HOST, "127.0.0.1"],
    ["host.docker.internal resolves", inContainer([A], "192.168.65.2"), "192.168.65.2"],
    ["host.docker.internal resolves to an IPv6 address", inContainer([A], "fd00::1"), "[fd00::1]"],
    [
      "it does not resolve: a gateway of ours",
      inContainer([A, network("b", "10.0.1.1", { gateway: "10.0.1.254" })]),
      "10.0.1.254",
    ],
    ["no address of the host is known", inContainer([A]), "host.docker.internal:host-gateway"],
  ])("%s", (_where, place, expected) => {
    expect(choose(onHost, place)).toContain(expected);
  });
});

describe("chooseAddress() of a container that shares the network of another", () => {
  const sharing = parseContainer(readFixture("docker-20.10.24-container-network.json"));
  const peer: Container = {
    ...CONTAINER,
    name: "vpn",
    networks: [A, B],
    startedAtMs: sharing.startedAtMs - 1_000,
  };

  function via(change: Partial<Container> | undefined, place = HOST, wanted?: string): string {
    const settings = { ...SETTINGS, network: wanted };
    const other = change && { ...peer, ...change };
    const address = chooseAddress(sharing, settings, place, other);
    return address.kind === "none" ? address.reason : address.host;
  }

  test("returns the address of the other container", () => {
    expect(via({})).toBe("10.0.0.1");
    expect(via({}, inContainer([B]))).toBe("10.0.1.1");
    expect(via({}, HOST, "b")).toBe("10.0.1.1");
    expect(via({ networkMode: "host", networks: [] })).toBe("127.0.0.1");
  });

  test.each<[what: string, change: Partial<Container> | undefined, reason: string]>([
    ["does not exist", undefined, "which does not run"],
    ["has exited", { status: "exited" }, 'container "vpn", which does not run'],
    [
      "was restarted later, so its network is a new one",
      { startedAtMs: sharing.startedAtMs + 1 },
      "restart this one too",
    ],
    [
      "shares the network of a third",
      { networkMode: "container:abc" },
      "shares the network of a third one",
    ],
  ])("the other %s", (_what, change, reason) => {
    expect(via(change)).toContain(reason);
  });
});
