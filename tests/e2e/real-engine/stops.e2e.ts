/** The compiled binary in front of containers of a real engine that stop, die, or become unhealthy. */
import { describe, expect, test } from "bun:test";
import { chat, modelIds, streamedChat, untilModels } from "../../support/client/requests.ts";
import { startEachTestWithoutServers } from "../../support/engine/each-test.ts";
import { admin, startHealthy, startProxy, untilHealth } from "../../support/engine/real.ts";
import { dockerCli } from "../../support/server/inference-server/image.ts";
import { until, within } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;

async function statusAndCode(origin: string): Promise<string> {
  const response = await chat(origin, "m");
  const body = (await response.json()) as { readonly error?: { readonly code?: string } };
  return `${response.status} ${body.error?.code}`;
}

startEachTestWithoutServers();

describe("docker stop while an answer streams", () => {
  test(
    "a server that finishes its work: the answer is complete, new requests get 503, then 404",
    async () => {
      await using proxy = await startProxy();
      const server = await startHealthy({ env: { MODELS: "m", TERM_MODE: "drain" } });
      await untilModels(proxy.origin, ["m"]);
      const { end } = await streamedChat(proxy.origin, "m", { tokens: 30, token_delay_ms: 100 });
      const stopped = dockerCli("stop", server.name);
      await untilModels(proxy.origin, [], 1_000);
      expect(await statusAndCode(proxy.origin)).toBe("503 backend_draining");
      expect(await within("the answer", end, 10_000)).toBe("complete");
      await stopped;
      await until(
        "the container is gone",
        async () => (await statusAndCode(proxy.origin)) === "404 model_not_found",
        1_000,
      );
    },
    TIMEOUT_MS,
  );

  test(
    "a server that ignores SIGTERM, with PROXY_DRAIN_TIMEOUT=2s: cut after 2 s, and the answer looks incomplete",
    async () => {
      await using proxy = await startProxy({ PROXY_DRAIN_TIMEOUT: "2s" });
      const server = await startHealthy({ env: { MODELS: "m", TERM_MODE: "ignore" } });
      await untilModels(proxy.origin, ["m"]);
      const { end } = await streamedChat(proxy.origin, "m", { tokens: 1_000, token_delay_ms: 50 });
      const startMs = performance.now();
      const stopped = dockerCli("stop", "--time", "6", server.name);
      expect(await within("the answer's end", end)).toStartWith("broken off");
      expect(performance.now() - startMs).toBeWithin(1_900, 3_500);
      expect(proxy.logged('"requests_cut":1')).toBe(true);
      await stopped;
    },
    TIMEOUT_MS,
  );
});

test(
  "docker kill: the server is gone at once",
  async () => {
    await using proxy = await startProxy();
    const server = await startHealthy({ env: { MODELS: "m" } });
    await untilModels(proxy.origin, ["m"]);
    const { end } = await streamedChat(proxy.origin, "m", { tokens: 1_000, token_delay_ms: 50 });
    await dockerCli("kill", server.name);
    await until(
      "the container is gone",
      async () => (await statusAndCode(proxy.origin)) === "404 model_not_found",
      1_000,
    );
    expect(await within("the answer's end", end)).toStartWith("broken off");
  },
  TIMEOUT_MS,
);

test(
  "docker restart: the server is routed again by itself",
  async () => {
    await using proxy = await startProxy();
    const server = await startHealthy({ env: { MODELS: "m" } });
    await untilModels(proxy.origin, ["m"]);
    await dockerCli("restart", server.name);
    expect(await modelIds(proxy.origin)).toEqual([]);
    await untilModels(proxy.origin, ["m"]);
    expect((await chat(proxy.origin, "m")).status).toBe(200);
  },
  TIMEOUT_MS,
);

test(
  "unhealthy and healthy again: not routed and routed again, and the answer in flight is not affected",
  async () => {
    await using proxy = await startProxy();
    const server = await startHealthy({ env: { MODELS: "m" } });
    await untilModels(proxy.origin, ["m"]);
    const { end } = await streamedChat(proxy.origin, "m", { tokens: 80, token_delay_ms: 100 });
    await admin(server, "/health?state=bad");
    await untilModels(proxy.origin, []);
    expect(await statusAndCode(proxy.origin)).toBe("503 backend_draining");
    await admin(server, "/health?state=good");
    await untilModels(proxy.origin, ["m"]);
    expect((await chat(proxy.origin, "m")).status).toBe(200);
    expect(await within("the answer", end, 20_000)).toBe("complete");
  },
  TIMEOUT_MS,
);

test(
  "docker kill -s HUP: nothing changes",
  async () => {
    await using proxy = await startProxy();
    const server = await startHealthy({ env: { MODELS: "m" } });
    await untilModels(proxy.origin, ["m"]);
    const before = proxy.log().length;
    const { end } = await streamedChat(proxy.origin, "m", { tokens: 10, token_delay_ms: 100 });
    await dockerCli("kill", "--signal", "HUP", server.name);
    expect(await within("the answer", end)).toBe("complete");
    expect([await modelIds(proxy.origin), proxy.log().length]).toEqual([["m"], before]);
  },
  TIMEOUT_MS,
);

test(
  "docker pause and unpause: not routed, and routed again once it is healthy",
  async () => {
    await using proxy = await startProxy();
    const server = await startHealthy({ env: { MODELS: "m" } });
    await untilModels(proxy.origin, ["m"]);
    await dockerCli("pause", server.name);
    await untilModels(proxy.origin, [], 1_000);
    await dockerCli("unpause", server.name);
    await untilHealth(server, "healthy");
    await untilModels(proxy.origin, ["m"], 1_000);
  },
  TIMEOUT_MS,
);

test(
  "a proxy that starts in the middle of a docker stop finds the other servers, and does not route to the stopping one",
  async () => {
    await startHealthy({ env: { MODELS: "other" } });
    const server = await startHealthy({ env: { MODELS: "m", TERM_MODE: "ignore" } });
    const stopped = dockerCli("stop", "--time", "5", server.name);
    const since = Math.floor(Date.now() / 1000 - 1).toString();
    await until("the engine has reported the stop", async () =>
      (
        await dockerCli(
          "events",
          "--since",
          since,
          "--until",
          "0s",
          "--filter",
          `container=${server.name}`,
        )
      ).includes(" kill "),
    );
    await untilHealth(server, "healthy"); // inspect reports it as healthy
    await using proxy = await startProxy();
    await until(
      "the proxy is ready",
      async () => (await fetch(`${proxy.origin}/readyz`)).status === 200,
    );
    expect(await modelIds(proxy.origin)).toEqual(["other"]);
    await stopped;
    expect(await modelIds(proxy.origin)).toEqual(["other"]);
    const said = (): readonly unknown[] =>
      proxy
        .log()
        .filter((line) => line["container"] === server.name)
        .map(({ message }) => message);
    // The client may return before the event arrives.
    await until("the proxy has logged its end", () => said().includes("container stopped"));
    expect(said()).toEqual(["container stopping", "container stopped"]);
  },
  TIMEOUT_MS,
);
