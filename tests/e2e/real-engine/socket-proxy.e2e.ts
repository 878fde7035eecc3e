/** The compiled binary behind a socket proxy, over TCP: HAProxy in front of the real engine's socket. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { chat, modelIds, streamedChat, untilModels } from "../../support/client/requests.ts";
import { provide } from "../../support/debian-package.ts";
import { startEachTestWithoutServers } from "../../support/engine/each-test.ts";
import { startHealthy, startProxy } from "../../support/engine/real.ts";
import { startRelay } from "../../support/engine/relay.ts";
import { type SocketProxy, startSocketProxy } from "../../support/engine/socket-proxy/process.ts";
import { RULE_FOR_TRAEFIK, startWollomatic } from "../../support/engine/socket-proxy/wollomatic.ts";
import type { CompiledProxy } from "../../support/proxy/compiled.ts";
import { dockerCli } from "../../support/server/inference-server/image.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { expectNever, until, within } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;
const ENGINE_SOCKET = /^unix:\/\/(.+)$/.exec(
  process.env["DOCKER_HOST"] || "unix:///var/run/docker.sock",
)?.[1];

const missing =
  ENGINE_SOCKET === undefined
    ? "the engine has no unix socket"
    : await provide("haproxy", "haproxy");
if (missing !== undefined) process.stderr.write(`Not tested with a socket proxy: ${missing}\n`);

function linesAbove(proxy: CompiledProxy, level: string): readonly string[] {
  return proxy
    .log()
    .filter((line) => line["level"] !== level)
    .map((line) => String(line["message"]));
}

function streamsEnded(proxy: CompiledProxy): number {
  return proxy.log().filter(({ message }) => message === "event stream ended").length;
}

describe.skipIf(missing !== undefined)("behind a socket proxy", () => {
  const socketPath = ENGINE_SOCKET ?? "";

  startEachTestWithoutServers();

  test(
    "that allows what docs/security.md asks for and cuts idle streams, the proxy routes, and does not log the cuts",
    async () => {
      await using socketProxy = await startSocketProxy(socketPath);
      const server = await startHealthy({ env: { MODELS: "m", TERM_MODE: "drain" } });
      await using proxy = await startProxy({ DOCKER_HOST: socketProxy.host, LOG_LEVEL: "debug" });
      await untilModels(proxy.origin, ["m"]);
      await until("the proxy is ready", () => proxy.logged('"ready"'));
      const before = linesAbove(proxy, "debug").length;
      const cut = streamsEnded(proxy);
      await until(
        "the socket proxy has cut idle streams",
        () => streamsEnded(proxy) >= cut + 2,
        20_000,
      );
      expect(linesAbove(proxy, "debug").slice(before)).toEqual([]);
      expect(await modelIds(proxy.origin)).toEqual(["m"]);

      const streamed = await streamedChat(proxy.origin, "m", { tokens: 50 });
      const stopped = dockerCli("stop", "--time", "10", server.name);
      await until(
        "the proxy knows of the stop",
        async () => (await modelIds(proxy.origin)).length === 0,
      );
      expect(await within("the answer", streamed.end)).toBe("complete");
      await stopped;
      await until(
        "the container is gone",
        async () => (await chat(proxy.origin, "m")).status === 404,
      );
    },
    TIMEOUT_MS,
  );

  test.each<[name: string, start: () => Promise<SocketProxy>]>([
    ["linuxserver's", () => startSocketProxy(socketPath, {}, "linuxserver")],
    ["wollomatic's", () => startWollomatic(socketPath, { allowGet: RULE_FOR_TRAEFIK })],
  ])(
    "%s: the proxy routes, and sees a stop at once",
    async (_name, start) => {
      await using socketProxy = await start();
      const server = await startHealthy({ env: { MODELS: "m", TERM_MODE: "drain" } });
      await using proxy = await startProxy({ DOCKER_HOST: socketProxy.host });
      await untilModels(proxy.origin, ["m"]);
      const streamed = await streamedChat(proxy.origin, "m", { tokens: 50 });
      const stopped = dockerCli("stop", "--time", "10", server.name);
      await until(
        "the proxy knows of the stop",
        async () => (await modelIds(proxy.origin)).length === 0,
      );
      expect(await within("the answer", streamed.end)).toBe("complete");
      await stopped;
      expect(proxy.logged("answered 403")).toBe(false);
    },
    TIMEOUT_MS,
  );

  test(
    "without an engine behind it, the proxy logs that once, keeps its routes, and logs once that the engine is back",
    async () => {
      await startHealthy({ env: { MODELS: "m" } });
      using directory = temporaryDirectory();
      const relayPath = join(directory.path, "docker.sock");
      const relay = await startRelay(socketPath, relayPath);
      await using socketProxy = await startSocketProxy(relayPath);
      await using proxy = await startProxy({ DOCKER_HOST: socketProxy.host });
      await untilModels(proxy.origin, ["m"]);
      await until("the proxy is ready", () => proxy.logged('"ready"'));
      const before = linesAbove(proxy, "debug").length;
      relay[Symbol.dispose]();
      await until(
        "the log says that the engine does not answer",
        () => proxy.logged("behind it does not answer"),
        15_000,
      );
      const isSaidAgain = (): boolean => linesAbove(proxy, "debug").length > before + 1;
      await expectNever("the log repeats it", isSaidAgain, 6_000); // one more try, which takes HAProxy 3 s
      expect(linesAbove(proxy, "debug").slice(before)).toEqual(["engine unreachable"]);
      expect(proxy.log().at(-1)?.["reason"]).toBe(
        "The engine answered 503 to GET /version: 503 Service Unavailable No server is available to handle this request.; the socket proxy runs, but the engine behind it does not answer. The proxy tries again until the engine answers.",
      );
      expect(await modelIds(proxy.origin)).toEqual(["m"]);
      using _again = await startRelay(socketPath, relayPath);
      await until(
        "the log says that the engine is back",
        () => proxy.logged("engine reconnected"),
        15_000,
      );
      expect(linesAbove(proxy, "debug").slice(before + 1)).toEqual(["engine reconnected"]);
    },
    TIMEOUT_MS,
  );

  test(
    "that does not allow CONTAINERS, the proxy logs once what to set",
    async () => {
      await using socketProxy = await startSocketProxy(socketPath, { CONTAINERS: "0" });
      await using proxy = await startProxy({ DOCKER_HOST: socketProxy.host });
      await until("the log says what to set", () => proxy.logged("set CONTAINERS=1"));
      const said = (): number =>
        proxy.log().filter((line) => JSON.stringify(line).includes("CONTAINERS=1")).length;
      await expectNever("the log repeats it", () => said() > 1, 2_500); // the proxy asks for the list once a second
      expect(proxy.log().filter(({ level }) => level === "error")).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test("the proxy requests nothing that the socket proxy would refuse", async () => {
    await using socketProxy = await startSocketProxy(socketPath);
    for (const path of ["/info", "/images/json", "/networks"]) {
      const { status, headers } = await fetch(`${socketProxy.origin}${path}`);
      expect([path, status, headers.get("content-type")]).toEqual([path, 403, "text/html"]);
    }
    const created = await fetch(`${socketProxy.origin}/containers/create`, { method: "POST" });
    expect(created.status).toBe(403);
    await using proxy = await startProxy({ DOCKER_HOST: socketProxy.host, LOG_LEVEL: "debug" });
    await until("the proxy is ready", () => proxy.logged('"ready"'), 10_000);
    expect(proxy.logged("answered 403")).toBe(false);
  });
});
