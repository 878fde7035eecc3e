/**
 * drain and undrain by `docker exec` into the image, with every restriction that it can run with, in front of
 * real containers. The command is in docs/operating.md.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import {
  chat,
  type StreamedAnswer,
  streamedChat,
  untilModels,
} from "../support/client/requests.ts";
import { removeServers, startHealthy } from "../support/engine/real.ts";
import {
  buildProxyImage,
  CAN_RUN,
  type ProxyContainer,
  socketMount,
  socketPath,
  startProxyContainer,
} from "../support/proxy/image.ts";
import { untilShown } from "../support/proxy/shown-status.ts";
import { buildInferenceImage, dockerCli } from "../support/server/inference-server/image.ts";
import { within } from "../support/until.ts";

const TIMEOUT_MS = 60_000;

type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a command in the proxy's container, as root or as the container's user. */
async function inside({ name }: ProxyContainer, ...args: readonly string[]): Promise<Ended> {
  const command = ["docker", "exec", ...args.filter((one) => one.startsWith("--user="))];
  const rest = args.filter((one) => !one.startsWith("--user="));
  const child = Bun.spawn([...command, name, "lw-inference-proxy", ...rest], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = [child.exited, child.stdout.text(), child.stderr.text()] as const;
  const [code, stdout, stderr] = await Promise.all(output);
  return { code, stdout, stderr };
}

function socketsIn(directory: string): readonly string[] {
  return readdirSync(directory).filter((name) => /^lw-inference-proxy-8080.*\.sock$/.test(name));
}

async function streamsThrough(origin: string, count: number): Promise<readonly StreamedAnswer[]> {
  const pace = { tokens: 40, token_delay_ms: 50 };
  return Promise.all(Array.from({ length: count }, () => streamedChat(origin, "m", pace)));
}

describe.skipIf(!CAN_RUN)("the image", () => {
  beforeAll(async () => {
    await buildProxyImage();
    await buildInferenceImage();
  }, 300_000);
  afterAll(removeServers, TIMEOUT_MS);

  test(
    "with every way to run it, `drain && docker stop` of a server that cuts answers breaks none of 50 streams",
    async () => {
      const server = await startHealthy({ env: { MODELS: "m", TERM_MODE: "exit" } });
      const group = String(statSync(socketPath()).gid);
      const noPrivileges = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
      const user = ["--user", "1234:1234", "--group-add", group];
      await using stack = new AsyncDisposableStack();
      const all = [
        [],
        ["--read-only", ...noPrivileges],
        user,
        ["--ipc", "host"],
        ["--ipc", "host"],
      ];
      const proxies = await Promise.all(
        all.map((flags) => startProxyContainer({ flags: [...socketMount(), ...flags] })),
      );
      for (const proxy of proxies) stack.use(proxy);
      const streams = await Promise.all(
        proxies.map(async (proxy) => {
          await untilModels(await proxy.origin(), ["m"]);
          return streamsThrough(await proxy.origin(), 10);
        }),
      );
      const drained = await Promise.all(
        proxies.map((proxy) => inside(proxy, "drain", server.name)),
      );
      const done = {
        code: 0,
        stdout: `${server.name}: draining; 10 requests in flight\n${server.name}: drained; no requests left\n`,
        stderr: "",
      };
      expect(drained).toEqual(all.map(() => done));
      await dockerCli("stop", server.name);
      const ends = await within(
        "the end of all streams",
        Promise.all(streams.flat().map(({ end }) => end)),
      );
      expect([...new Set(ends)]).toEqual(["complete"]);
      // The run is over, and so is its drain. A new run is routed.
      await dockerCli("start", server.name);
      for (const proxy of proxies) await untilModels(await proxy.origin(), ["m"]);
      await dockerCli("stop", ...proxies.map(({ name }) => name));
      expect(socketsIn("/dev/shm")).toEqual([]);
      await dockerCli("rm", "--force", server.name);
    },
    TIMEOUT_MS,
  );

  test(
    "two proxies that share /dev/shm and the port, each in its own network, have separate sockets",
    async () => {
      const server = await startHealthy({ env: { MODELS: "m" } });
      const flags = [...socketMount(), "--ipc", "host"];
      await using one = await startProxyContainer({ flags });
      await using two = await startProxyContainer({ flags });
      const origins = [await one.origin(), await two.origin()] as const;
      for (const origin of origins) await untilModels(origin, ["m"]);
      expect(socketsIn("/dev/shm")).toHaveLength(2);
      expect((await inside(two, "drain", server.id.slice(0, 12))).code).toBe(0);
      const drained = {
        state: "drained",
        reason: expect.stringContaining("drained by an operator"),
      };
      await untilShown(origins[1], server.name, drained);
      expect((await chat(origins[0], "m")).status).toBe(200);
      expect((await chat(origins[1], "m")).status).toBe(503);
      expect((await inside(two, "undrain", server.name)).code).toBe(0);
      expect((await chat(origins[1], "m")).status).toBe(200);
      await dockerCli("stop", one.name, two.name); // a killed container leaves its socket in the host's /dev/shm
      await dockerCli("rm", "--force", server.name);
    },
    TIMEOUT_MS,
  );

  test(
    "a root that may not open another user's files is told which user to use; without /dev/shm there is a warning",
    async () => {
      const few = ["--cap-drop", "ALL", "--cap-add", "SETUID", "--cap-add", "SETGID"];
      await using proxy = await startProxyContainer({ flags: [...socketMount(), ...few] });
      expect((await proxy.processStatus("Uid"))[0]).toBe("65532");
      const { code, stderr } = await inside(proxy, "drain", "x");
      expect([code, stderr]).toEqual([2, expect.stringContaining("docker exec --user 65532")]);
      const asked = await inside(proxy, "--user=65532", "drain", "x");
      expect(asked.stderr).toContain('the proxy knows no container "x"');
      const closed = [...socketMount(), "--read-only", "--ipc", "none"];
      await using none = await startProxyContainer({ flags: closed });
      expect(await none.log()).toContain("control socket unavailable");
      expect((await fetch(`${await none.origin()}/healthz`)).status).toBe(200);
    },
    TIMEOUT_MS,
  );
});
