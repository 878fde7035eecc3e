import { describe, expect, test } from "bun:test";
import { chooseAddress } from "../../src/docker/address.ts";
import { type Container, type Network, parseContainer } from "../../src/docker/container.ts";
import { readFixture } from "../support/fake-engine.ts";

const CONTAINER = parseContainer(readFixture("docker-20.10.24-user-bridge.json"));

function network(name: string, ipv4: string, ipv6 = ""): Network {
  return { name, id: `id-${name}`, ipv4, ipv6 };
}

function choose(networks: readonly Network[], own?: readonly string[], wanted?: string): string {
  const container: Container = { ...CONTAINER, networks };
  const settings = { port: 8000, basePath: "/v1", network: wanted };
  const address = chooseAddress(container, settings, own && new Set(own));
  return address.kind === "address" ? address.host : address.reason;
}

const A = network("a", "10.0.0.1");
const B = network("b", "10.0.1.1");
const SIX = network("six", "", "fd00::2");

describe("chooseAddress()", () => {
  test("on the host: the first by name, whatever order the engine has them in", () => {
    expect(choose([B, A])).toBe("10.0.0.1");
  });

  test("in a container: the network that both share, by id", () => {
    expect(choose([A, B], ["id-x", "id-b"])).toBe("10.0.1.1");
  });

  test("in a container that shares none: the first with an address", () => {
    expect(choose([network("0", ""), A, B], ["id-x"])).toBe("10.0.0.1");
  });

  test("inference.network before a shared one", () => {
    expect(choose([A, B], ["id-a"], "b")).toBe("10.0.1.1");
  });

  test("an inference.network that it is not on: the reason says which ones it is on", () => {
    expect(choose([A, B], undefined, "c")).toContain('is on "a", "b"');
  });

  test("IPv4 before IPv6, and IPv6 in brackets", () => {
    expect(choose([network("both", "10.0.0.9", "fd00::9")])).toBe("10.0.0.9");
    expect(choose([SIX])).toBe("[fd00::2]");
  });

  test.each([
    "docker-20.10.24-host-network.json",
    "docker-20.10.24-none-network.json",
    "docker-20.10.24-container-network.json",
  ])("%s: no address, and the reason says what was seen", (name) => {
    const container = parseContainer(readFixture(name));
    const address = chooseAddress(
      container,
      { port: 1, basePath: "", network: undefined },
      undefined,
    );
    expect(address).toMatchObject({ kind: "none", reason: expect.stringContaining("no address") });
  });

  test("a container that has stopped has no address", () => {
    const container = parseContainer(readFixture("docker-20.10.24-exited.json"));
    expect(
      chooseAddress(container, { port: 1, basePath: "", network: undefined }, undefined).kind,
    ).toBe("none");
  });
});
