import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { explainListen } from "../src/process/listen-error.ts";
import { type ProxyServer, startServer } from "../src/server.ts";
import { memoryLog } from "./support/proxy/memory-log.ts";

const ALL = ["127.0.0.1", "127.0.0.2", "::1"];
/** TEST-NET-3 (RFC 5737): nobody's. */
const FOREIGN = "203.0.113.9";

function start(host: string | undefined, port = 0): Disposable & ProxyServer {
  const server = startServer({ port, host, log: memoryLog(), handler: () => new Response("ok") });
  return { ...server, [Symbol.dispose]: () => void server.stop(0) };
}

function isReached(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port });
  socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}

describe("startServer() listens", () => {
  test.each<[host: string | undefined, reached: readonly string[]]>([
    [undefined, ALL],
    ["::", ALL],
    ["0.0.0.0", ["127.0.0.1", "127.0.0.2"]],
    ["127.0.0.1", ["127.0.0.1"]],
    ["127.0.0.2", ["127.0.0.2"]],
    ["::1", ["::1"]],
  ])("on %p: it is reached at %p", async (host, reached) => {
    using server = start(host);
    const is = await Promise.all(ALL.map((address) => isReached(address, server.port)));
    expect(ALL.filter((_, index) => is[index])).toEqual([...reached]);
  });
});

describe("explainListen() names address, port and what to change", () => {
  function failureOf(host: string | undefined, port: number): string {
    try {
      using _server = start(host, port);
      return "it listens";
    } catch (error) {
      return explainListen({ host, port }, error);
    }
  }

  test.each([undefined, "127.0.0.1"])("when the port is taken, on %p", (host) => {
    using other = start(host);
    const at = host === undefined ? "" : ` of ${host}`;
    const text = failureOf(host, other.port);
    expect(text).toStartWith(`cannot listen on port ${other.port}${at}: `);
    expect(text).toEndWith("; choose another in PROXY_PORT");
  });

  test.each([FOREIGN, "2001:db8::9", "fe80::1"])("when the address %s is not ours", (host) => {
    const text = failureOf(host, 65_000);
    expect(text).toStartWith(`cannot listen on port 65000 of ${host}: `);
    expect(text).toEndWith("; name an address of this machine in PROXY_HOST");
  });

  test("when the port is for root alone", () => {
    const error = Object.assign(new Error("permission denied"), { code: "EACCES" });
    expect(explainListen({ host: "127.0.0.1", port: 80 }, error)).toBe(
      "cannot listen on port 80 of 127.0.0.1: permission denied; allow it by PROXY_USER=0 or the capability CAP_NET_BIND_SERVICE, or choose another in PROXY_PORT",
    );
  });
});
