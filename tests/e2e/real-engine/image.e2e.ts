/** The image of the real Dockerfile as a container beside inference servers, on a real engine. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, statSync } from "node:fs";
import { version } from "../../../package.json" with { type: "json" };
import { chat, modelIds, streamedChat, untilModels } from "../../support/client/requests.ts";
import { FakeEngine } from "../../support/engine/fake.ts";
import { createNetwork } from "../../support/engine/networks.ts";
import { removeServers, type Server, startHealthy } from "../../support/engine/real.ts";
import {
  buildProxyImage,
  CAN_RUN,
  PROXY_IMAGE,
  socketMount,
  socketPath,
  startProxyContainer,
} from "../../support/proxy/image.ts";
import { buildInferenceImage, dockerCli } from "../../support/server/inference-server/image.ts";
import { until, within } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;
if (!CAN_RUN)
  console.log("The image is not tested: the test needs root, Debian, and the engine's socket.");

const RESTRICTED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
const NO_CAPABILITIES = "0000000000000000";

function socketGroup(): string {
  return String(statSync(socketPath()).gid);
}

describe.skipIf(!CAN_RUN)("the image", () => {
  let server: Server;

  beforeAll(async () => {
    await buildProxyImage({ COMMIT: "first" });
    await buildInferenceImage();
    server = await startHealthy({ env: { MODELS: "m" } });
  }, 300_000);
  afterAll(removeServers, TIMEOUT_MS);

  test(
    "another commit changes the labels and does not install the packages again",
    async () => {
      const output = await buildProxyImage({ COMMIT: "0123456789abcdef0123456789abcdef01234567" });
      expect(output).toMatch(/RUN bun install .*\n ---> Using cache/);
      const format = "{{json .Config.Labels}}";
      const labels = JSON.parse(
        await dockerCli("image", "inspect", "--format", format, PROXY_IMAGE),
      );
      expect(labels).toMatchObject({
        "org.opencontainers.image.title": "lw-inference-proxy",
        "org.opencontainers.image.licenses": "MIT",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.revision": "0123456789ab",
      });
      const says = await dockerCli("run", "--rm", PROXY_IMAGE, "--version");
      expect(says).toBe(
        `lw-inference-proxy ${version} (commit 0123456789ab, Bun ${Bun.version})\n`,
      );
    },
    TIMEOUT_MS,
  );

  test(
    "has no shell, and of the build it has only the binary",
    async () => {
      const shell = dockerCli("run", "--rm", "--entrypoint", "/bin/sh", PROXY_IMAGE, "-c", "true");
      await expect(shell).rejects.toThrow("no such file or directory");
      const format = "{{.Size}}";
      const bytes = Number(await dockerCli("image", "inspect", "--format", format, PROXY_IMAGE));
      expect(bytes).toBeLessThan(135_000_000); // docs/operating.md says 122 MB
    },
    TIMEOUT_MS,
  );

  test(
    "in the setup of the original's compose file (socket read-only, no group given): routes, as user 65532",
    async () => {
      await using proxy = await startProxyContainer({
        flags: [...socketMount(), "--health-interval", "1s"],
      });
      await untilModels(await proxy.origin(), ["m"]);
      const answer = await chat(await proxy.origin(), "m");
      expect([answer.status, answer.headers.get("x-served-by")]).toEqual([200, server.name]);
      const id = "65532";
      expect(await proxy.processStatus("Uid")).toEqual([id, id, id, id]);
      expect(await proxy.processStatus("Gid")).toEqual([id, id, id, id]);
      expect(await proxy.processStatus("Groups")).toEqual([socketGroup()]);
      expect(await proxy.processStatus("CapEff")).toEqual([NO_CAPABILITIES]);
      await until(
        "its own HEALTHCHECK reports it as healthy",
        async () => (await proxy.inspect("{{.State.Health.Status}}")) === "healthy",
        20_000,
      );
    },
    TIMEOUT_MS,
  );

  test.each<[what: string, uid: string, flags: () => readonly string[]]>([
    ["cap_drop ALL", "0", () => ["--cap-drop", "ALL"]],
    ["read-only, cap_drop ALL, no-new-privileges", "0", () => RESTRICTED],
    [
      "read-only and no-new-privileges",
      "65532",
      () => ["--read-only", "--security-opt", "no-new-privileges"],
    ],
    [
      "another user in the socket's group, and all restrictions",
      "1234",
      () => ["--user", "1234:1234", "--group-add", socketGroup(), ...RESTRICTED],
    ],
    ["128 MB of memory", "65532", () => ["--memory", "128m"]],
  ])(
    "with %s: routes as user %s without capabilities, and exits 0",
    async (_what, uid, flags) => {
      await using proxy = await startProxyContainer({ flags: [...socketMount(), ...flags()] });
      await untilModels(await proxy.origin(), ["m"]);
      expect((await chat(await proxy.origin(), "m")).status).toBe(200);
      expect((await proxy.processStatus("Uid"))[0]).toBe(uid);
      expect(await proxy.processStatus("CapEff")).toEqual([NO_CAPABILITIES]);
      expect(await dockerCli("exec", proxy.name, "lw-inference-proxy", "healthcheck")).toBe("");
      const startMs = performance.now();
      await dockerCli("stop", proxy.name);
      expect(performance.now() - startMs).toBeLessThan(3_000); // Docker did not kill it after 10 s
      expect(await proxy.inspect("{{.State.ExitCode}}")).toBe("0");
    },
    TIMEOUT_MS,
  );

  test(
    "as a user outside the socket's group, it logs which group to add",
    async () => {
      const flags = [...socketMount(), "--user", "65532:65532"];
      await using proxy = await startProxyContainer({ flags });
      const advice = `group_add: [\\"${socketGroup()}\\"]`;
      await until("the log says which group to add", async () =>
        (await proxy.log()).includes(advice),
      );
    },
    TIMEOUT_MS,
  );

  test(
    "PROXY_USER=0 stays root; an engine at tcp:// needs no group",
    async () => {
      await using root = await startProxyContainer({ env: { PROXY_USER: "0" } });
      expect((await root.processStatus("Uid"))[0]).toBe("0");
      const env = { DOCKER_HOST: "tcp://127.0.0.1:1" };
      await using tcp = await startProxyContainer({ flags: [], env });
      expect((await tcp.processStatus("Uid"))[0]).toBe("65532");
      expect(await tcp.processStatus("Groups")).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test.each<[what: string, uid: string, groups: readonly string[], mode: number, says: string]>([
    ["of root:root 0660, like a rootless engine's", "65532", ["0"], 0o660, '"listening"'],
    ["of root:root 0666", "65532", [], 0o666, '"listening"'],
    ["for root only", "0", ["0"], 0o600, "only the owner of the engine's socket may use it"],
  ])(
    "with a socket %s it runs as user %s, in groups %p",
    async (...[, uid, groups, mode, says]) => {
      using fake = await new FakeEngine().start();
      chmodSync(fake.socketPath, mode);
      const flags = ["--volume", `${fake.socketPath}:/var/run/docker.sock`];
      await using proxy = await startProxyContainer({ flags });
      await until("the proxy is connected", async () =>
        (await proxy.log()).includes('"engine connected"'),
      );
      expect((await proxy.processStatus("Uid"))[0]).toBe(uid);
      expect(await proxy.processStatus("Groups")).toEqual([...groups]);
      expect(await proxy.log()).toContain(says);
    },
    TIMEOUT_MS,
  );

  test(
    "servers on separate networks: a proxy on both networks reaches each server over the one that they share",
    async () => {
      await using one = await createNetwork();
      await using two = await createNetwork();
      const first = await startHealthy({
        env: { MODELS: "first" },
        flags: ["--network", one.name],
      });
      const second = await startHealthy({
        env: { MODELS: "second" },
        flags: ["--network", two.name],
      });
      await using both = await startProxyContainer({
        flags: [...socketMount(), "--network", one.name],
        networks: [two.name],
      });
      const origin = await both.origin();
      await untilModels(origin, ["first", "second"]);
      for (const [model, { name }] of [
        ["first", first],
        ["second", second],
      ] as const) {
        expect((await chat(origin, model)).headers.get("x-served-by")).toBe(name);
      }
      await dockerCli("rm", "--force", first.name, second.name); // the networks can only be removed after the containers
    },
    TIMEOUT_MS,
  );

  test(
    "docker stop of the proxy during a stream: the stream finishes, exit code 0",
    async () => {
      await using proxy = await startProxyContainer();
      const origin = await proxy.origin();
      await untilModels(origin, ["m"]);
      const { end } = await streamedChat(origin, "m", { tokens: 30, token_delay_ms: 100 });
      const stopped = dockerCli("stop", "--time", "20", proxy.name);
      await until("new connections are refused", async () =>
        fetch(`${origin}/healthz`, { keepalive: false }).then(
          () => false,
          () => true,
        ),
      );
      expect(await within("the answer", end, 10_000)).toBe("complete");
      await stopped;
      expect(await proxy.inspect("{{.State.ExitCode}}")).toBe("0");
    },
    TIMEOUT_MS,
  );

  test(
    "docker restart of the proxy: routes again",
    async () => {
      await using proxy = await startProxyContainer();
      await untilModels(await proxy.origin(), ["m"]);
      await dockerCli("restart", proxy.name);
      await until("the proxy listens again", async () =>
        modelIds(await proxy.origin()).then(
          () => true,
          () => false,
        ),
      );
      await untilModels(await proxy.origin(), ["m"]);
      expect((await chat(await proxy.origin(), "m")).status).toBe(200);
      expect((await proxy.processStatus("Uid"))[0]).toBe("65532");
    },
    TIMEOUT_MS,
  );
});
