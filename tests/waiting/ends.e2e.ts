/** The compiled binary in front of containers of a real engine that end: it reports how, and who ended them. */
import { describe, expect, test } from "bun:test";
import { streamedChat, untilModels } from "../support/client/requests.ts";
import { startEachTestWithoutServers } from "../support/engine/each-test.ts";
import {
  crash,
  type Server,
  startHealthy,
  startProxy,
  startServer,
} from "../support/engine/real.ts";
import { dockerCli } from "../support/server/inference-server/image.ts";
import { until } from "../support/until.ts";

const TIMEOUT_MS = 60_000;
/** The stand-in exits at once, because it does not know this word. */
const CRASHING = { TERM_MODE: "crash" };

type Proxy = Awaited<ReturnType<typeof startProxy>>;

/** The state and the reason that `GET /status` shows. */
async function shown({ origin }: Proxy, { name }: Server): Promise<string> {
  const status = (await (await fetch(`${origin}/status`)).json()) as {
    readonly containers: readonly {
      readonly name: string;
      readonly state: string;
      readonly reason: string;
    }[];
  };
  const container = status.containers.find((each) => each.name === name);
  return `${container?.state}: ${container?.reason}`;
}

function untilShown(proxy: Proxy, server: Server, expected: RegExp, ms = 5_000): Promise<void> {
  let last = "";
  const holds = async (): Promise<boolean> => {
    last = await shown(proxy, server);
    return expected.test(last);
  };
  return until(`the container shows ${expected}`, holds, ms).catch(() => {
    throw new Error(`the container shows ${last}, not ${expected}`);
  });
}

startEachTestWithoutServers();

describe("the report of the end of a container", () => {
  test(
    "says that docker kill, or the end of its stop timeout, killed it",
    async () => {
      await using proxy = await startProxy();
      const env = { MODELS: "m", TERM_MODE: "ignore" };
      const server = await startHealthy({ env, flags: ["--stop-timeout", "2"] });
      await untilModels(proxy.origin, ["m"]);
      await dockerCli("stop", server.name);
      await untilShown(
        proxy,
        server,
        /^stopped: was killed at the end of its stop timeout of 2 s; give it a longer stop_grace_period$/,
      );
      await dockerCli("start", server.name);
      await dockerCli("kill", server.name);
      await untilShown(proxy, server, /^stopped: was killed by docker kill or docker rm -f$/);
    },
    TIMEOUT_MS,
  );

  test(
    "says that it was stopped, or that it crashed",
    async () => {
      await using proxy = await startProxy();
      const server = await startHealthy({ env: { MODELS: "m" } });
      await untilModels(proxy.origin, ["m"]);
      await dockerCli("stop", server.name);
      await untilShown(proxy, server, /^stopped: was stopped$/);
      await dockerCli("start", server.name);
      await untilModels(proxy.origin, ["m"], 20_000);
      await crash(server);
      await untilShown(proxy, server, /^stopped: exited with code 1 after \d/);
    },
    TIMEOUT_MS,
  );

  test(
    "is in the log each time that answers break off, with the reason",
    async () => {
      await using proxy = await startProxy();
      const server = await startHealthy({ env: { MODELS: "m" }, flags: ["--restart", "always"] });
      // The engine may have restarted the container already when the proxy inspects it. Then the line is about
      // the restart.
      const said = (): number =>
        proxy
          .log()
          .filter(
            ({ level, message, reason }) =>
              level !== "debug" &&
              /^container (re)?starting$/.test(String(message)) &&
              /exited with code 1\b|last: exit code 1\b/.test(String(reason)),
          ).length;
      for (const _ of [1, 2]) {
        await untilModels(proxy.origin, ["m"], 20_000);
        await streamedChat(proxy.origin, "m", { tokens: 1_000, token_delay_ms: 50 });
        const before = said();
        await crash(server);
        await until("the log has the reason", () => said() > before, 5_000);
        await until("the line about the answers has the reason", () =>
          proxy.logged("its container exited with"),
        );
      }
    },
    TIMEOUT_MS,
  );
});

test(
  "reports a crash loop as one, also in a proxy that starts later, until the container is stopped",
  async () => {
    await using proxy = await startProxy();
    const server = await startServer({ env: CRASHING, flags: ["--restart", "always"] });
    const loop =
      /^(restarting|starting): .*\d times in 10 min; last: exit code \d+ after [\d.]+ s; it crashes again and again, so no request waits for it; look at docker logs /;
    await untilShown(proxy, server, loop, 10_000);
    await using later = await startProxy();
    await untilShown(later, server, loop);
    const said = proxy.log().filter(({ level }) => level === "warn");
    expect(said.length).toBeLessThanOrEqual(2); // the first crash, and the loop
    await dockerCli("stop", server.name);
    await untilShown(proxy, server, /^stopped: was stopped/);
  },
  TIMEOUT_MS,
);
