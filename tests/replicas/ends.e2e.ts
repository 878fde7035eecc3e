/** The compiled binary in front of replicas of one model on a real engine that restart, or are full. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { outcomeOfAnswer, startLoad } from "../support/client/load.ts";
import { chat } from "../support/client/requests.ts";
import { removeLeftovers, removeServers } from "../support/engine/real.ts";
import { answersOf, arrivalsAt, Replicas } from "../support/engine/replicas.ts";
import { buildInferenceImage, dockerCli } from "../support/server/inference-server/image.ts";

const TIMEOUT_MS = 60_000;

beforeAll(async () => {
  await removeLeftovers();
  await buildInferenceImage();
}, 120_000);

afterAll(removeServers, TIMEOUT_MS);

test(
  "docker restart of one that exits at once: other replicas answer all waiting requests",
  async () => {
    await using replicas = await Replicas.start(3);
    const abrupt = await replicas.add({ env: { TERM_MODE: "exit" } });
    await replicas.untilState(abrupt, "routed");
    const fields = { first_token_delay_ms: 1_000, tokens: 1 };
    const waiting = await replicas.sendWaiting(40, "abrupt", fields);
    expect((await arrivalsAt(abrupt, "abrupt")).length).toBeGreaterThan(5);
    await using load = startLoad(replicas.origin, "m", 4);
    await dockerCli("restart", abrupt.name);
    const ends = await Promise.all(waiting.map(outcomeOfAnswer));
    expect(ends.filter((end) => !answersOf(...replicas.running).includes(end))).toEqual([]);
    await replicas.untilState(abrupt, "routed");
    await replicas.stop(abrupt);
    expect(load.others(...answersOf(abrupt, ...replicas.running))).toEqual([]);
  },
  TIMEOUT_MS,
);

describe("inference.max_in_flight", () => {
  test.each([
    ["with the replica label: 429 only when all replicas are full", "true", 2],
    ["without the label: requests beyond the newest one's limit get 429", "", 1],
  ])(
    "%s",
    async (_what, replica, takers) => {
      const labels = { "inference.replica": replica, "inference.max_in_flight": "3" };
      const env = { MODELS: "limited" };
      await using limited = await Replicas.start(2, { labels, env });
      await limited.shutGates();
      const waiting = await limited.sendWaiting(3 * takers, "waiting", { model: "limited" });
      const counts = await Promise.all(
        limited.running.map(async (server) => (await arrivalsAt(server, "waiting")).length),
      );
      expect(counts.sort()).toEqual(takers === 2 ? [3, 3] : [0, 3]);
      const refused = await chat(limited.origin, "limited");
      expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
      expect(await refused.json()).toMatchObject({ error: { code: "backend_saturated" } });
      await limited.openGates();
      for (const answer of waiting) expect((await answer).status).toBe(200);
      expect((await chat(limited.origin, "limited")).status).toBe(200);
      for (const server of limited.running) await limited.stop(server);
    },
    TIMEOUT_MS,
  );
});
