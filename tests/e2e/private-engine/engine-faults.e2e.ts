/**
 * The compiled binary in front of an engine whose daemon stops or is killed, and comes back: in the middle of a
 * stream, of a `docker stop`, or of a read of a model list; with live-restore and without.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { outcomeOf, startLoad } from "../../support/client/load.ts";
import { modelIds, streamedChat, untilModels } from "../../support/client/requests.ts";
import { PrivateEngine } from "../../support/engine/private.ts";
import { crash, journal, RealEngine, type Server } from "../../support/engine/real.ts";
import { buildInferenceImage } from "../../support/server/inference-server/image.ts";
import { until, within } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;
/** How long the routing may be wrong after the engine answers again, or reports a container as healthy, ms. */
const RIGHT_MS = 2_000;
const READ_MS = 3_000;

/** Like an upgrade or `systemctl stop docker`, and like a crash. */
const FAULTS = ["stop", "kill"] as const;

const DRAINING = "503 backend_draining";
const UNKNOWN = "404 model_not_found";
/** The answers for a model whose container takes no new requests: it is stopping, gone, or not back yet. */
const OUT = [DRAINING, UNKNOWN, "503 backend_unavailable"];
const UNREACHABLE = "502 backend_unreachable";

const engine = new PrivateEngine();
const containers = new RealEngine(engine.docker, engine.host);

function untilOutcome(origin: string, model: string, outcome: string): Promise<void> {
  const holds = async (): Promise<boolean> => (await outcomeOf(origin, model)) === outcome;
  return until(`${model}: ${outcome}`, holds, RIGHT_MS);
}

/**
 * Starts two containers: one is in the middle of a `docker stop` with an answer in flight, the other in the
 * middle of a read of its model list.
 */
async function startStoppingAndLoading(origin: string, flags: readonly string[] = []) {
  const [stopping, loading] = await Promise.all([
    containers.startHealthy({ env: { MODELS: "stopping", TERM_MODE: "drain" }, flags }),
    containers.startHealthy({
      env: { MODELS: "loading", MODELS_DELAY_MS: String(READ_MS) },
      flags,
    }),
  ]);
  await untilOutcome(origin, "stopping", `200 by ${stopping.name}`);
  const answer = await streamedChat(origin, "stopping", { tokens: 50, token_delay_ms: 100 });
  const stopped = engine.docker("stop", "--time", "30", stopping.name).catch(() => undefined);
  await untilOutcome(origin, "stopping", DRAINING);
  expect(await readsOf(loading)).toMatchObject([{ done: false }]);
  return { stopping, loading, answer, stopped };
}

async function readsOf(server: Server): Promise<readonly object[]> {
  return (await journal(server)).filter(({ path }) => path === "/v1/models");
}

beforeAll(async () => {
  await engine.start({ liveRestore: true });
  await buildInferenceImage(engine.docker);
}, 120_000);
afterEach(() => containers.removeServers(), TIMEOUT_MS);
afterAll(() => engine[Symbol.asyncDispose](), TIMEOUT_MS);

describe("with live-restore, containers keep running while no daemon runs", () => {
  const liveRestore = true;

  test.each(FAULTS)(
    "%s during a stream: the stream continues, other requests are served, and a death in the meantime is noticed",
    async (fault) => {
      await using proxy = await containers.startProxy();
      const [lives, dies] = await Promise.all([
        containers.startHealthy({ env: { MODELS: "lives" } }),
        containers.startHealthy({ env: { MODELS: "dies" } }),
      ]);
      const diesOrigin = await dies.origin(); // while the engine can still report it
      await untilModels(proxy.origin, ["dies", "lives"]);
      const { end } = await streamedChat(proxy.origin, "lives", {
        tokens: 50,
        token_delay_ms: 100,
      });
      await using load = startLoad(proxy.origin, "lives");
      await engine[fault]();
      await crash({ ...dies, origin: async () => diesOrigin });
      expect(await modelIds(proxy.origin)).toEqual(["dies", "lives"]);
      await engine.start({ liveRestore });
      await untilOutcome(proxy.origin, "dies", UNKNOWN);
      expect(await modelIds(proxy.origin)).toEqual(["lives"]);
      expect(await within("the answer", end, 10_000)).toBe("complete");
      expect(load.others(`200 by ${lives.name}`)).toEqual([]);
      await engine.docker("kill", lives.name); // shows that the proxy reads the events again
      await untilModels(proxy.origin, [], 1_000);
    },
    TIMEOUT_MS,
  );

  test.each(FAULTS)(
    "%s during a docker stop and a read of a model list: the stopping one is never routed again, the other list is read once",
    async (fault) => {
      await using proxy = await containers.startProxy();
      const { loading, answer, stopped } = await startStoppingAndLoading(proxy.origin);
      await using load = startLoad(proxy.origin, "stopping");
      await engine[fault]();
      await engine.start({ liveRestore });
      await stopped;
      await untilModels(proxy.origin, ["loading"], READ_MS + RIGHT_MS);
      expect(await outcomeOf(proxy.origin, "loading")).toBe(`200 by ${loading.name}`);
      expect(await readsOf(loading)).toMatchObject([{ done: true }]);
      expect(answer.text()).not.toContain("[DONE]"); // so it was in flight all the time
      expect(await within("the answer", answer.end, 10_000)).toBe("complete");
      await untilOutcome(proxy.origin, "stopping", UNKNOWN);
      expect(load.others(...OUT)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe("without live-restore, the daemon ends its containers when it stops, or when it starts after a crash", () => {
  const liveRestore = false;
  const always = ["--restart", "always"];

  beforeAll(async () => {
    await engine.stop();
    await engine.start({ liveRestore });
  }, TIMEOUT_MS);

  test.each(FAULTS)(
    "%s during a stream: the stream may finish; the proxy follows a container that comes back at another one's address",
    async (fault) => {
      await using proxy = await containers.startProxy();
      const gone = await containers.startHealthy({ env: { MODELS: "gone", TERM_MODE: "drain" } });
      const moved = await containers.startHealthy({ env: { MODELS: "moved" }, flags: always });
      const goneOrigin = await gone.origin();
      await untilModels(proxy.origin, ["gone", "moved"]);
      const { end } = await streamedChat(proxy.origin, "gone", { tokens: 40, token_delay_ms: 100 });
      await using toGone = startLoad(proxy.origin, "gone");
      await using toMoved = startLoad(proxy.origin, "moved");
      await engine[fault]();
      await engine.start({ liveRestore });
      expect(await within("the answer", end)).toBe("complete");
      await untilOutcome(proxy.origin, "gone", UNKNOWN);
      await containers.untilHealth(moved, "healthy");
      await untilOutcome(proxy.origin, "moved", `200 by ${moved.name}`);
      expect(await modelIds(proxy.origin)).toEqual(["moved"]);
      expect(await moved.origin()).toBe(goneOrigin);
      expect(toGone.others(`200 by ${gone.name}`, UNREACHABLE, ...OUT)).toEqual([]);
      expect(toMoved.others(`200 by ${moved.name}`, UNREACHABLE, ...OUT)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test.each(FAULTS)(
    "%s during a docker stop and a read of a model list: the next run of each container is routed",
    async (fault) => {
      await using proxy = await containers.startProxy();
      const { stopping, loading, answer, stopped } = await startStoppingAndLoading(
        proxy.origin,
        always,
      );
      await engine[fault]();
      await engine.start({ liveRestore });
      await stopped;
      expect(await within("the answer", answer.end)).toBe("complete");
      await containers.untilHealth(stopping, "healthy");
      await untilOutcome(proxy.origin, "stopping", `200 by ${stopping.name}`);
      await containers.untilHealth(loading, "healthy");
      await untilModels(proxy.origin, ["loading", "stopping"], READ_MS + RIGHT_MS);
      expect(await outcomeOf(proxy.origin, "loading")).toBe(`200 by ${loading.name}`);
    },
    TIMEOUT_MS,
  );
});
