/** Where the compiled binary makes the socket for drain and undrain, and when it removes it. */
import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { chat, untilModels } from "../../support/client/requests.ts";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import { runCompiled, startCompiled } from "../../support/proxy/compiled.ts";
import { startTokenServer } from "../../support/server/tokens.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { until } from "../../support/until.ts";

describe("the socket for drain and undrain", () => {
  test("is in /dev/shm by default, for its owner only, and is removed at the end", async () => {
    using fake = await new FakeEngine().start();
    await using proxy = await startCompiled({ env: envOf(fake) });
    const namespace = /\d+/.exec(readlinkSync("/proc/self/ns/net"))?.[0];
    const path = `/dev/shm/lw-inference-proxy-${proxy.port}-${namespace}.sock`;
    await until("the socket exists", () => existsSync(path));
    expect((statSync(path).mode & 0o7777).toString(8)).toBe("600");
    const { code, stderr } = await runCompiled({ PROXY_PORT: String(proxy.port) }, ["drain", "x"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('knows no container "x"')]);
    proxy.kill("SIGTERM");
    expect(await proxy.exited).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test.each<[what: string, directory: (parent: string) => string]>([
    ["that does not exist", (parent) => join(parent, "missing")],
    ["that is not writable", () => "/proc"],
    ["whose path is too long for a socket", (parent) => join(parent, "x".repeat(200))],
  ])(
    "in a directory %s: the proxy logs one warning and keeps serving",
    async (_what, directory) => {
      using parent = temporaryDirectory();
      using fake = await new FakeEngine().start();
      using server = startTokenServer(() => false);
      fake.add({ port: server.port, name: "vllm" });
      const env = { ...envOf(fake), RUNTIME_DIRECTORY: directory(parent.path) };
      await using proxy = await startCompiled({ env });
      await untilModels(proxy.origin, ["m"]);
      expect((await chat(proxy.origin, "m")).status).toBe(200);
      const warnings = proxy.log().filter(({ level }) => level === "warn");
      expect(warnings).toMatchObject([
        {
          message: "control socket unavailable",
          reason: expect.stringContaining("Set RUNTIME_DIRECTORY to a directory"),
        },
      ]);
      const port = String(proxy.port);
      const asked = { PROXY_PORT: port, RUNTIME_DIRECTORY: env.RUNTIME_DIRECTORY };
      expect((await runCompiled(asked, ["drain", "vllm"])).code).toBe(2);
      proxy.kill("SIGTERM");
      expect(await proxy.exited).toBe(0);
    },
  );

  test.skipIf(process.getuid?.() !== 0)(
    "of a proxy that has switched to another user belongs to that user, and root can use it",
    async () => {
      using directory = temporaryDirectory();
      chmodSync(directory.path, 0o777);
      const env = { DOCKER_HOST: "tcp://127.0.0.1:1", PROXY_USER: "65532" };
      const shared = { RUNTIME_DIRECTORY: directory.path };
      await using proxy = await startCompiled({ env: { ...env, ...shared } });
      // The proxy listens before it makes its socket.
      await until("the proxy has its socket", () => readdirSync(directory.path).length > 0);
      const [name = ""] = readdirSync(directory.path);
      expect(statSync(join(directory.path, name))).toMatchObject({ uid: 65_532 });
      const asked = { ...shared, PROXY_PORT: String(proxy.port) };
      expect((await runCompiled(asked, ["drain", "x"])).stderr).toContain(
        "it waits for the Docker engine's list of containers",
      );
    },
  );
});
