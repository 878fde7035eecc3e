import { describe, expect, test } from "bun:test";
import { type Container, parseContainer } from "../../../src/engine/container.ts";
import { type Itself, isItself, loopAt } from "../../../src/sources/docker/itself.ts";
import { readFixture } from "../../support/engine/replies.ts";

const PROXY: Container = {
  ...parseContainer(readFixture("docker-20.10.24-user-bridge.json")),
  programs: ["lw-inference-proxy"],
};
const ON_HOST: Itself = {
  container: undefined,
  program: "lw-inference-proxy",
  addresses: ["127.0.0.1", "::1", "192.168.1.5", "172.17.0.1", "fe80::1"],
  listening: { host: undefined, port: 8080 },
};
const BRIDGED: Itself = {
  ...ON_HOST,
  container: {
    ...PROXY,
    published: [
      { port: 8080, hostPort: 80, hostAddress: "0.0.0.0" },
      { port: 9090, hostPort: 9090, hostAddress: "" },
      { port: 8080, hostPort: 8081, hostAddress: "127.0.0.1" },
    ],
  },
  addresses: ["127.0.0.1", "172.17.0.2"],
};

function listening(host: string | undefined, itself = ON_HOST): Itself {
  return { ...itself, listening: { host, port: 8080 } };
}

describe("isItself()", () => {
  const itself: Itself = { ...ON_HOST, container: PROXY };

  test.each<[what: string, path: string, args: readonly string[], expected: boolean]>([
    ["the binary", "/usr/local/bin/lw-inference-proxy", [], true],
    ["behind an init", "/sbin/tini", ["--", "/app/lw-inference-proxy", "-v"], true],
    ["behind a shell", "/bin/sh", ["-c", "exec  /app/lw-inference-proxy"], true],
    ["a server whose network we share", "/usr/bin/python3", ["-m", "vllm"], false],
    ["a longer name", "/lw-inference-proxy-x", [], false],
  ])("%s", (_what, Path, Args, expected) => {
    const reply = { ...readFixture("docker-20.10.24-user-bridge.json"), Path, Args };
    expect(isItself(parseContainer(reply), itself)).toBe(expected);
  });

  test("is false for another container that runs a proxy", () => {
    expect(isItself({ ...PROXY, id: "other" }, itself)).toBe(false);
    expect(isItself(PROXY, ON_HOST)).toBe(false);
  });
});

describe("loopAt()", () => {
  type Case = [what: string, at: string, itself: Itself, isOnHost: boolean, loops: boolean];

  test.each<Case>([
    ["loopback, our port", "127.0.0.1:8080", ON_HOST, true, true],
    ["loopback, another port", "127.0.0.1:8000", ON_HOST, true, false],
    ["another address of loopback", "127.0.0.2:8080", ON_HOST, true, true],
    ["an address of ours", "192.168.1.5:8080", ON_HOST, false, true],
    ["an IPv6 address of ours, with a zone", "[fe80::1%eth0]:8080", ON_HOST, false, true],
    ["IPv4 as IPv6", "[::ffff:192.168.1.5]:8080", ON_HOST, false, true],
    ["an address of another container", "172.17.0.9:8080", ON_HOST, false, false],
    ["we listen only at another address", "127.0.0.1:8080", listening("192.168.1.5"), true, false],
    ["we listen only there", "127.0.0.1:8080", listening("127.0.0.1"), true, true],
    ["we listen only on loopback", "192.168.1.5:8080", listening("127.0.0.1"), false, false],
    ["0.0.0.0", "192.168.1.5:8080", listening("0.0.0.0"), false, true],
    ["::", "127.0.0.1:8080", listening("::"), true, true],
    [
      "in a container: a server of the host on the same port as ours",
      "172.17.0.1:8080",
      BRIDGED,
      true,
      false,
    ],
    ["the published port of our port", "172.17.0.1:80", BRIDGED, true, true],
    ["the published port of another port of ours", "172.17.0.1:9090", BRIDGED, true, false],
    ["a port published only on loopback", "172.17.0.1:8081", BRIDGED, true, false],
    ["another container on the same port", "172.17.0.9:80", BRIDGED, false, false],
    ["our own address in the network", "172.17.0.2:8080", BRIDGED, false, true],
    ["a server that shares our network, on another port", "172.17.0.2:8000", BRIDGED, false, false],
  ])("%s (%s)", (...[, at, itself, isOnHost, loops]: Case) => {
    const [, host = "", port] = /^(.*):(\d+)$/.exec(at) ?? [];
    const reason = loopAt({ host, port: Number(port), isOnHost }, itself);
    expect(reason !== undefined).toBe(loops);
    if (loops) expect(reason).toContain("requests would come back");
  });

  test("reads published ports from an inspect of the engine", () => {
    const reply = readFixture("docker-20.10.24-published-ports.json");
    const container = parseContainer(reply);
    expect(container.published).toContainEqual({
      port: 8000,
      hostPort: 18_125,
      hostAddress: "127.0.0.1",
    });
    const itself: Itself = { ...BRIDGED, container, listening: { host: undefined, port: 8000 } };
    const at = (host: string): string | undefined =>
      loopAt({ host, port: 18_125, isOnHost: true }, itself);
    expect([at("127.0.0.1") !== undefined, at("172.17.0.1")]).toEqual([true, undefined]);
  });
});
