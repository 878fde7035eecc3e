/** The compiled binary on this host in front of containers of a real engine: which ones it finds and routes to. */
import { describe, expect, test } from "bun:test";
import { chat, modelIds, post, streamedChat, untilModels } from "../../support/client/requests.ts";
import { startEachTestWithoutServers } from "../../support/engine/each-test.ts";
import {
  addressOf,
  admin,
  journal,
  removeServers,
  startHealthy,
  startProxy,
  startServer,
  untilHealth,
} from "../../support/engine/real.ts";
import { dockerCli } from "../../support/server/inference-server/image.ts";
import { until, within } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;

async function servedBy(response: Response): Promise<string | null> {
  await response.arrayBuffer();
  return response.headers.get("x-served-by");
}

async function untilListed(origin: string, model: string): Promise<void> {
  await until(`${model} is listed`, async () => (await modelIds(origin)).includes(model), 1_000);
}

startEachTestWithoutServers();

describe("two containers with different models, ports and base paths", () => {
  test(
    "the proxy lists both within 1 s of becoming healthy, and every kind of request reaches the right one",
    async () => {
      await using proxy = await startProxy();
      const a = await startServer({ env: { MODELS: "org/a,a2" } });
      const b = await startServer({
        env: { MODELS: "b", PORT: "9000", BASE_PATH: "/api" },
        labels: { "inference.port": "9000", "inference.api.base_path": "/api" },
      });
      await Promise.all([
        untilHealth(a, "healthy").then(() => untilListed(proxy.origin, "org/a")),
        untilHealth(b, "healthy").then(() => untilListed(proxy.origin, "b")),
      ]);
      expect(await modelIds(proxy.origin)).toEqual(["a2", "b", "org/a"]);
      for (const [model, { name }] of [
        ["org/a", a],
        ["b", b],
      ] as const) {
        expect(await servedBy(await chat(proxy.origin, model))).toBe(name);
        expect(
          await servedBy(await post(proxy.origin, "/v1/embeddings", { input: "x", model })),
        ).toBe(name);
        const message = { max_tokens: 9, messages: [{ role: "user", content: "x" }], model };
        expect(await servedBy(await post(proxy.origin, "/v1/messages", message))).toBe(name);
        const { end, text } = await streamedChat(proxy.origin, model);
        expect(await within("the answer", end)).toBe("complete");
        expect(text()).toContain(name);
        const bytes = `{"pad":"${"ä😀\\u0000".repeat(20_000)}","model":${JSON.stringify(model)}} `;
        const echoed = await fetch(`${proxy.origin}/v1/echo?x=%2F`, {
          method: "POST",
          body: bytes,
        });
        expect(await echoed.text()).toBe(bytes);
        const one = await fetch(`${proxy.origin}/v1/models/${encodeURIComponent(model)}`);
        expect(await one.json()).toMatchObject({ id: model, permission: [] });
      }
    },
    TIMEOUT_MS,
  );
});

test(
  "the proxy finds containers that were running before it, and ignores one without HEALTHCHECK with a warning",
  async () => {
    await startHealthy({ env: { MODELS: "a" } });
    const unchecked = await startServer({ env: { MODELS: "x" }, flags: ["--no-healthcheck"] });
    await using proxy = await startProxy();
    await until(
      "the proxy is ready",
      async () => (await fetch(`${proxy.origin}/readyz`)).status === 200,
    );
    expect(await modelIds(proxy.origin)).toEqual(["a"]);
    const warnings = proxy.log().filter(({ container }) => container === unchecked.name);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({
      level: "warn",
      reason: expect.stringContaining("HEALTHCHECK"),
    });
  },
  TIMEOUT_MS,
);

test(
  "two containers with one model: the newest gets the requests, with a warning; the other one takes over when it stops",
  async () => {
    await using proxy = await startProxy();
    const first = await startHealthy({ env: { MODELS: "m" } });
    await untilModels(proxy.origin, ["m"]);
    const last = await startHealthy({ env: { MODELS: "m" } });
    await until(
      "the newest one answers",
      async () => (await servedBy(await chat(proxy.origin, "m"))) === last.name,
    );
    const warnings = proxy.log().filter(({ instead_of }) => instead_of === first.name);
    expect(warnings).toMatchObject([{ level: "warn", container: last.name, models: ["m"] }]);
    const stopped = dockerCli("stop", last.name);
    await until(
      "the older one answers",
      async () => (await servedBy(await chat(proxy.origin, "m"))) === first.name,
    );
    await stopped;
    expect((await chat(proxy.origin, "m")).status).toBe(200);
  },
  TIMEOUT_MS,
);

test(
  "a container gets no request after its stop notice, and the next owner of its address gets none either",
  async () => {
    await using proxy = await startProxy();
    const stopping = await startHealthy({ env: { MODELS: "a", TERM_MODE: "ignore" } });
    await untilModels(proxy.origin, ["a"]);
    const address = await addressOf(stopping.name);
    let sending = true;
    let sent = 0;
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        for (; sending; sent += 1) {
          await (await chat(proxy.origin, "a", { tokens: 1 })).arrayBuffer();
        }
      }),
    );
    await until(
      "some requests have been answered",
      async () => (await journal(stopping)).length > 20,
    );
    const since = Math.floor(Date.now() / 1000).toString();
    const stopped = dockerCli("stop", "--time", "2", stopping.name);
    await until(
      "the container is not routed",
      async () => (await chat(proxy.origin, "a")).status === 503,
    );
    const before = sent;
    await until("the load has continued, without a server", () => sent >= before + 200);
    const entries = await journal(stopping);
    await stopped;
    const format = [
      "--format",
      "{{.Action}} {{.TimeNano}}",
      "--filter",
      `container=${stopping.name}`,
    ];
    const events = await dockerCli("events", "--since", since, "--until", "0s", ...format);
    const killMs = Number(/^kill (\d+)$/m.exec(events)?.[1]) / 1e6;
    const NOTICE_MS = 50; // the difference between the engine's clock and ours, and a request that was already being sent
    expect(
      entries.filter(({ path, at }) => !path.endsWith("/models") && at > killMs + NOTICE_MS),
    ).toEqual([]);
    const next = await startHealthy({ env: { MODELS: "b" } });
    expect(await addressOf(next.name)).toBe(address);
    await untilModels(proxy.origin, ["b"]);
    expect((await chat(proxy.origin, "a")).status).toBe(404);
    sending = false;
    await load;
    expect((await journal(next)).filter(({ model }) => model === "a")).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "a container that crashes is gone at once, and comes back by itself when its restart policy starts it again",
  async () => {
    await using proxy = await startProxy();
    const server = await startHealthy({ env: { MODELS: "m" }, flags: ["--restart", "always"] });
    await untilModels(proxy.origin, ["m"]);
    await admin(server, "/crash").catch(() => undefined);
    await untilModels(proxy.origin, [], 2_000);
    await untilModels(proxy.origin, ["m"]);
    expect((await chat(proxy.origin, "m")).status).toBe(200);
  },
  TIMEOUT_MS,
);

test(
  "a container that leaves its network gets no more requests, because another one may get its address",
  async () => {
    const network = `lw-inference-proxy-test-${process.pid}`;
    await dockerCli("network", "create", network);
    try {
      await using proxy = await startProxy();
      const flags = ["--network", network];
      const moved = await startHealthy({ env: { MODELS: "a" }, flags });
      await untilModels(proxy.origin, ["a"]);
      const address = await addressOf(moved.name);
      await dockerCli("network", "disconnect", network, moved.name);
      await untilModels(proxy.origin, [], 1_000);
      const labels = { "inference.enable": "false" };
      const stranger = await startHealthy({ env: { MODELS: "a" }, labels, flags });
      expect(await addressOf(stranger.name)).toBe(address);
      expect((await chat(proxy.origin, "a")).status).toBe(503);
      expect((await journal(stranger)).filter(({ path }) => path.includes("chat"))).toEqual([]);
      await dockerCli("network", "connect", network, moved.name);
      await untilModels(proxy.origin, ["a"], 2_000);
      expect(await servedBy(await chat(proxy.origin, "a"))).toBe(moved.name);
    } finally {
      await removeServers();
      await dockerCli("network", "rm", network);
    }
  },
  TIMEOUT_MS,
);
