/**
 * The compiled binary in front of containers of a real engine that
 * stop, crash or change their health at bad moments.
 */
import { describe, expect, test } from "bun:test";
import { outcomeOf, startLoad } from "../../support/client/load.ts";
import { modelIds, streamedChat, untilModels } from "../../support/client/requests.ts";
import { startEachTestWithoutServers } from "../../support/engine/each-test.ts";
import {
  addressOf,
  admin,
  crash,
  journal,
  startHealthy,
  startProxy,
  startServer,
  untilHealth,
} from "../../support/engine/real.ts";
import { dockerCli } from "../../support/server/inference-server/image.ts";
import { expectNever, until, within } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;

const DRAINING = "503 backend_draining";
const UNKNOWN = "404 model_not_found";
/** The answers for a model whose container takes no new requests: it is stopping, gone, or not back yet. */
const OUT = [DRAINING, UNKNOWN, "503 backend_unavailable"];
const UNREACHABLE = "502 backend_unreachable";

function untilOutcome(origin: string, model: string, outcome: string): Promise<void> {
  const holds = async (): Promise<boolean> => (await outcomeOf(origin, model)) === outcome;
  return until(`${model}: ${outcome}`, holds, 2_000);
}

startEachTestWithoutServers();

describe("a stop notice", () => {
  test(
    "for a container that survives it: not routed until the notice expires, then read and routed again",
    async () => {
      await using proxy = await startProxy({ PROXY_DRAIN_TIMEOUT: "1s" });
      const env = { MODELS: "m", TERM_MODE: "ignore" };
      const server = await startHealthy({ env, flags: ["--stop-timeout", "3"] });
      await untilModels(proxy.origin, ["m"]);
      await dockerCli("kill", "--signal", "TERM", server.name);
      const noticedMs = performance.now();
      await untilModels(proxy.origin, [], 1_000);
      await untilModels(proxy.origin, ["m"], 5_000);
      expect(performance.now() - noticedMs).toBeWithin(2_800, 4_500); // the container's stop timeout is longer than PROXY_DRAIN_TIMEOUT
      expect(await outcomeOf(proxy.origin, "m")).toBe(`200 by ${server.name}`);
      expect((await journal(server)).filter(({ path }) => path === "/v1/models")).toHaveLength(2);
    },
    TIMEOUT_MS,
  );

  test(
    "twice: the second one does not affect the answer in flight; after a new start the container is routed",
    async () => {
      await using proxy = await startProxy();
      const server = await startHealthy({ env: { MODELS: "m", TERM_MODE: "drain" } });
      await untilModels(proxy.origin, ["m"]);
      const { end } = await streamedChat(proxy.origin, "m", { tokens: 30, token_delay_ms: 100 });
      const stop = ["stop", "--time", "20", server.name];
      const first = dockerCli(...stop);
      await untilOutcome(proxy.origin, "m", DRAINING);
      await using load = startLoad(proxy.origin, "m");
      await Promise.all([first, dockerCli(...stop)]);
      expect(await within("the answer", end)).toBe("complete");
      await untilOutcome(proxy.origin, "m", UNKNOWN);
      expect(load.others(...OUT)).toEqual([]);
      await dockerCli("start", server.name);
      await untilHealth(server, "healthy");
      await untilOutcome(proxy.origin, "m", `200 by ${server.name}`);
    },
    TIMEOUT_MS,
  );

  test(
    "while it is paused: the answer in flight completes once the stop has woken the container, which gets no new requests",
    async () => {
      await using proxy = await startProxy();
      const server = await startHealthy({ env: { MODELS: "m", TERM_MODE: "ignore" } });
      await untilModels(proxy.origin, ["m"]);
      const { end } = await streamedChat(proxy.origin, "m", { tokens: 20, token_delay_ms: 100 });
      await dockerCli("pause", server.name);
      await untilModels(proxy.origin, []); // earlier requests would wait for the end of the pause
      await untilOutcome(proxy.origin, "m", DRAINING);
      await using load = startLoad(proxy.origin, "m");
      await dockerCli("stop", "--time", "5", server.name);
      expect(await within("the answer", end)).toBe("complete");
      await untilOutcome(proxy.origin, "m", UNKNOWN);
      expect(load.others(...OUT)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "during the read of its model list: it is never routed",
    async () => {
      await using proxy = await startProxy();
      const env = { MODELS: "m", MODELS_DELAY_MS: "1500", TERM_MODE: "ignore" };
      const server = await startHealthy({ env });
      const reads = async (): Promise<readonly object[]> =>
        (await journal(server)).filter(({ path }) => path === "/v1/models");
      await until("the proxy is reading its model list", async () => (await reads()).length > 0);
      await using load = startLoad(proxy.origin, "m");
      const stopped = dockerCli("stop", "--time", "4", server.name);
      await until("the proxy gives the read up", async () => {
        const [read] = (await reads()) as readonly { readonly aborted: boolean }[];
        return read?.aborted === true;
      });
      await stopped;
      expect(load.others(UNKNOWN, "503 starting")).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

test(
  "docker restart with an answer in flight: the answer completes, and the next run is routed",
  async () => {
    await using proxy = await startProxy();
    const server = await startHealthy({ env: { MODELS: "m", TERM_MODE: "drain" } });
    await untilModels(proxy.origin, ["m"]);
    const { end } = await streamedChat(proxy.origin, "m", { tokens: 30, token_delay_ms: 100 });
    await using load = startLoad(proxy.origin, "m");
    const restarted = dockerCli("restart", "--time", "20", server.name);
    await untilOutcome(proxy.origin, "m", DRAINING);
    expect(await within("the answer", end, 10_000)).toBe("complete");
    await restarted;
    await untilHealth(server, "healthy");
    await untilOutcome(proxy.origin, "m", `200 by ${server.name}`);
    expect(load.others(`200 by ${server.name}`, UNREACHABLE, ...OUT)).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "docker rm -f with an answer in flight: the answer breaks off, and the next owner of the address gets no request of this model",
  async () => {
    await using proxy = await startProxy();
    const server = await startHealthy({ env: { MODELS: "m" } });
    await untilModels(proxy.origin, ["m"]);
    const address = await addressOf(server.name);
    const { end } = await streamedChat(proxy.origin, "m", { tokens: 1_000, token_delay_ms: 50 });
    await using load = startLoad(proxy.origin, "m", 4);
    await until("some requests have been answered", () => load.outcomes.size > 0);
    await dockerCli("rm", "--force", server.name);
    const next = await startServer({ env: { MODELS: "next" } });
    expect(await addressOf(next.name)).toBe(address);
    expect(await within("the answer's end", end)).toStartWith("broken off");
    await untilOutcome(proxy.origin, "m", UNKNOWN);
    await untilModels(proxy.origin, ["next"]);
    expect(load.others(`200 by ${server.name}`, UNREACHABLE, ...OUT)).toEqual([]);
    expect((await journal(next)).filter(({ path }) => path !== "/v1/models")).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "restart loops: each run that becomes healthy is routed, and a container that never does gets no requests",
  async () => {
    await using proxy = await startProxy();
    const flags = ["--restart", "always"];
    const steady = await startHealthy({ env: { MODELS: "steady" } });
    await startServer({ env: { MODELS: "steady", PORT: "none" }, flags }); // its process always ends right after the start
    await untilModels(proxy.origin, ["steady"]);
    await using load = startLoad(proxy.origin, "steady");
    const looping = await startServer({ env: { MODELS: "looping" }, flags });
    for (let run = 0; run < 3; run += 1) {
      await untilHealth(looping, "healthy");
      await untilOutcome(proxy.origin, "looping", `200 by ${looping.name}`);
      await crash(looping);
      await untilModels(proxy.origin, ["steady"], 1_000);
    }
    expect(load.others(`200 by ${steady.name}`)).toEqual([]);
    await dockerCli("stop", looping.name); // in the pause before its next run, or during its start
    const isListed = async (): Promise<boolean> =>
      (await modelIds(proxy.origin)).join() !== "steady";
    await expectNever("the model is listed again", isListed, 500);
  },
  TIMEOUT_MS,
);

test(
  "health that flaps under load: clients get only 200 or 503, and no answer is cut",
  async () => {
    await using proxy = await startProxy();
    const flags = ["--health-interval", "250ms", "--health-retries", "1"];
    const server = await startHealthy({ env: { MODELS: "m" }, flags });
    await untilModels(proxy.origin, ["m"]);
    const { end } = await streamedChat(proxy.origin, "m", { tokens: 80, token_delay_ms: 100 });
    await using load = startLoad(proxy.origin, "m", 8);
    const count = (outcome: string): number => load.outcomes.get(outcome) ?? 0;
    const untilMore = (outcome: string): Promise<void> => {
      const before = count(outcome);
      return until(`ten more of ${outcome}`, () => count(outcome) >= before + 10);
    };
    for (let flap = 0; flap < 3; flap += 1) {
      await admin(server, "/health?state=bad");
      await untilModels(proxy.origin, [], 2_000);
      await untilMore(DRAINING);
      await admin(server, "/health?state=good");
      await untilModels(proxy.origin, ["m"], 2_000);
      await untilMore(`200 by ${server.name}`);
    }
    expect(await within("the answer", end, 10_000)).toBe("complete");
    expect(load.others(`200 by ${server.name}`, ...OUT)).toEqual([]);
  },
  TIMEOUT_MS,
);
