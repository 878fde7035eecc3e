import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { type ProxyServer, startServer } from "../src/server.ts";
import { memoryLog } from "./support/proxy/memory-log.ts";

const ALL = ["127.0.0.1", "127.0.0.2", "::1"];

function start(host: string | undefined): Disposable & ProxyServer {
  const server = startServer({
    port: 0,
    host,
    log: memoryLog(),
    handler: () => new Response("ok"),
  });
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
  ])("on %p and is reachable at %p", async (host, reached) => {
    using server = start(host);
    const is = await Promise.all(ALL.map((address) => isReached(address, server.port)));
    expect(ALL.filter((_, index) => is[index])).toEqual([...reached]);
  });
});
