/** The compiled binary as a process, in front of a fake engine. */
import { describe, expect, test } from "bun:test";
import { chmodSync, constants, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rawConnect } from "../../support/client/raw-http.ts";
import { chat, streamedChat, untilModels } from "../../support/client/requests.ts";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import { descriptorsOf } from "../../support/process/figures.ts";
import { BINARY, runCompiled, startCompiled } from "../../support/proxy/compiled.ts";
import { startCompiledChain } from "../../support/proxy/compiled-chain.ts";
import { rawRequest } from "../../support/proxy/in-process.ts";
import { startTokenServer } from "../../support/server/tokens.ts";
import { openDirectory, temporaryDirectory } from "../../support/temporary-directory.ts";
import { until, within } from "../../support/until.ts";

const LOW_PORT = 1023;

/** It is 0 in a Docker container. */
function firstFreeForAll(): number {
  return Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"));
}

describe("start", () => {
  test("every wrong variable gets its own line, and the exit code is 2", async () => {
    const env = {
      PROXY_PORT: "http",
      PROXY_DRAIN_TIMEOUT: "60",
      DOCKER_HOST: "ssh://me@host",
      LOG_LEVEL: "loud",
    };
    const { code, stdout, stderr } = await runCompiled(env);
    expect([code, stdout]).toEqual([2, ""]);
    const lines = stderr.trimEnd().split("\n");
    expect(lines).toHaveLength(4);
    for (const [name, value] of Object.entries(env)) {
      expect(lines.filter((line) => line.includes(`${name} is "${value}": expected`))).toHaveLength(
        1,
      );
    }
  });

  test("a port that is taken ends the proxy, with a message that says what to do", async () => {
    using other = Bun.serve({ port: 0, fetch: () => new Response() });
    const { code, stderr } = await runCompiled({ PROXY_PORT: String(other.port) });
    expect(code).toBe(1);
    expect(stderr).toContain(`cannot listen on port ${other.port}`);
    expect(stderr).toContain("PROXY_PORT");
  });

  test.skipIf(process.getuid?.() !== 0 || firstFreeForAll() <= LOW_PORT)(
    "a port that its user may not use ends the proxy, with a message that says what helps",
    async () => {
      const env = {
        PROXY_PORT: String(LOW_PORT),
        PROXY_USER: "65532",
        DOCKER_HOST: "tcp://[::1]:1",
      };
      using directory = openDirectory(); // the other user may not be able to read the clone
      const binary = join(directory.path, "lw-inference-proxy");
      copyFileSync(BINARY, binary, constants.COPYFILE_FICLONE);
      chmodSync(binary, 0o755);
      const { code, stderr } = await runCompiled(env, [], binary);
      expect([code, stderr]).toEqual([1, expect.stringContaining("PROXY_USER=0")]);
      expect(stderr).toContain("CAP_NET_BIND_SERVICE");
    },
  );

  test("a second proxy on the same port ends with an error, and does not silently share the port", async () => {
    using fake = await new FakeEngine().start();
    await using proxy = await startCompiled({ env: envOf(fake) });
    const { code, stderr } = await runCompiled({ ...envOf(fake), PROXY_PORT: String(proxy.port) });
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`cannot listen on port ${proxy.port}`),
    ]);
  });

  test("listens before it reaches the engine: healthy, not ready, and a model that is still unknown gets 503", async () => {
    await using proxy = await startCompiled({
      env: { DOCKER_HOST: "unix:///nowhere/docker.sock" },
    });
    await until("the proxy has logged the engine's error", () => proxy.logged("no such socket"));
    expect((await fetch(`${proxy.origin}/readyz`)).status).toBe(503);
    const answer = await chat(proxy.origin, "m");
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    const message = expect.stringContaining("waiting for the Docker engine's list of containers");
    expect(await answer.json()).toMatchObject({ error: { code: "starting", message } });
  });

  test("logs one JSON object a line, and warns about an unknown variable", async () => {
    using fake = await new FakeEngine().start();
    await using proxy = await startCompiled({ env: { ...envOf(fake), PROXY_PROT: "1" } });
    await until("the proxy is ready", () => proxy.logged('"ready"'));
    for (const line of proxy.log())
      expect(Object.keys(line).slice(0, 3)).toEqual(["time", "level", "message"]);
    expect(proxy.log()[0]).toMatchObject({
      level: "warn",
      message: "configuration warning",
      reason: expect.stringContaining("PROXY_PROT"),
    });
    expect(proxy.stderr()).toBe("");
  });

  test("reads no .env and no bunfig.toml from the working directory", async () => {
    using directory = temporaryDirectory();
    const cwd = directory.path;
    writeFileSync(join(cwd, ".env"), "PROXY_PORT=1\nPROXY_SURPRISE=1\n");
    writeFileSync(join(cwd, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
    writeFileSync(join(cwd, "evil.ts"), 'console.log("evil")\n');
    using fake = await new FakeEngine().start();
    await using proxy = await startCompiled({ env: envOf(fake), cwd });
    expect(proxy.logged("PROXY_SURPRISE")).toBe(false);
    expect(proxy.logged("evil")).toBe(false);
  });
});

describe("stop", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s: no new connections, answers in flight finish, exit code 0",
    async (signal) => {
      using fake = await new FakeEngine().start();
      let open = true;
      using backend = startTokenServer(() => open);
      fake.add({ port: backend.port });
      await using proxy = await startCompiled({ env: envOf(fake) });
      await untilModels(proxy.origin, ["m"]);
      const { end } = await streamedChat(proxy.origin, "m");
      proxy.kill(signal);
      await until("new connections are refused", async () =>
        fetch(`${proxy.origin}/healthz`, { keepalive: false }).then(
          () => false,
          () => true,
        ),
      );
      open = false;
      expect(await within("the answer", end)).toBe("complete");
      expect(await within("the proxy's exit", proxy.exited)).toBe(0);
      expect(proxy.log().at(-1)).toMatchObject({ message: "stopped" });
    },
  );

  test("cuts answers that have not finished within PROXY_DRAIN_TIMEOUT; the exit code is still 0", async () => {
    using fake = await new FakeEngine().start();
    using backend = startTokenServer(() => true);
    fake.add({ port: backend.port });
    await using proxy = await startCompiled({
      env: { ...envOf(fake), PROXY_DRAIN_TIMEOUT: "200ms" },
    });
    await untilModels(proxy.origin, ["m"]);
    const { end } = await streamedChat(proxy.origin, "m");
    proxy.kill("SIGTERM");
    expect(await within("the answer", end)).toStartWith("broken off");
    expect(await within("the proxy's exit", proxy.exited)).toBe(0);
    expect(proxy.logged('"requests_cut":1')).toBe(true);
  });

  test("hears stop notices and deaths until its end: docker compose down stops all containers at once", async () => {
    await using chain = await startCompiledChain();
    const { engine, container, proxy, upstream } = chain;
    using silent = await rawConnect(proxy.port);
    silent.send(rawRequest());
    await upstream.request(1);
    const before = descriptorsOf(proxy.pid);
    using halfSent = await rawConnect(proxy.port);
    halfSent.send(rawRequest().slice(0, -2));
    await until("the connection has arrived", () => descriptorsOf(proxy.pid) > before);
    proxy.kill("SIGTERM");
    await until("the proxy is stopping", () => proxy.logged("stopping"));
    engine.kill(container);
    await until("the proxy knows of the stop", () => proxy.logged("container stopping"));
    halfSent.send('"}');
    await halfSent.waitFor("backend_draining");
    engine.exit(container);
    await silent.waitFor("backend_unreachable");
    expect(await within("the proxy's exit", proxy.exited)).toBe(0);
    expect(
      upstream.connections.filter(({ received }) => received().includes("POST ")),
    ).toHaveLength(1);
  });

  test("a client in the middle of its headers does not delay the stop", async () => {
    using fake = await new FakeEngine().start();
    await using proxy = await startCompiled({ env: envOf(fake) });
    using client = await rawConnect(proxy.port);
    client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-");
    await fetch(`${proxy.origin}/healthz`); // this later client got its answer, so the proxy has read the earlier bytes
    const startMs = performance.now();
    proxy.kill("SIGTERM");
    expect(await within("the proxy's exit", proxy.exited)).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });

  test("a second signal ends the proxy at once", async () => {
    using fake = await new FakeEngine().start();
    using backend = startTokenServer(() => true);
    fake.add({ port: backend.port });
    await using proxy = await startCompiled({ env: envOf(fake) });
    await untilModels(proxy.origin, ["m"]);
    const { end } = await streamedChat(proxy.origin, "m");
    proxy.kill("SIGTERM");
    await until("the proxy is stopping", () => proxy.logged("stopping"));
    proxy.kill("SIGTERM");
    expect(await within("the proxy's exit", proxy.exited)).toBe(1);
    expect(await end).toStartWith("broken off");
  });
});
