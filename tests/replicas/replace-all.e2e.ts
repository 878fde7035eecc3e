/**
 * Replicas of one model on a real engine, replaced one after
 * another for two minutes, under the load of 50 clients.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mixedRequests, startLoad } from "../support/client/load.ts";
import { removeLeftovers, removeServers } from "../support/engine/real.ts";
import { answersOf, Replicas } from "../support/engine/replicas.ts";
import { untilShown } from "../support/proxy/shown-status.ts";
import { buildInferenceImage } from "../support/server/inference-server/image.ts";

const CLIENTS = 50;
const LOAD_MS = 120_000;
/** The highest number of replacements, in case each takes no time. */
const REPLACED_MAX = 200;

beforeAll(async () => {
  await removeLeftovers();
  await buildInferenceImage();
}, 120_000);

afterAll(removeServers, 120_000);

test(
  "no request fails, and no request gets a 503",
  async () => {
    await using replicas = await Replicas.start(3);
    const { proxy, origin } = replicas;
    const all = [...replicas.running];
    const endMs = performance.now() + LOAD_MS;
    let replaced = 0;
    let sent = 0;
    {
      await using load = startLoad(origin, "m", CLIENTS, mixedRequests());
      while (performance.now() < endMs && replaced < REPLACED_MAX) {
        const [oldest] = replicas.running;
        await replicas.replace(oldest!);
        replaced += 1;
        all.push(replicas.running.at(-1)!);
        expect(load.others(...answersOf(...all))).toEqual([]);
      }
      sent = [...load.outcomes.values()].reduce((sum, count) => sum + count, 0);
      for (const answer of answersOf(...all)) expect([...load.outcomes.keys()]).toContain(answer);
    }
    console.log(`${replaced} containers were replaced under ${sent} requests, and none failed.`);
    expect(replaced).toBeGreaterThanOrEqual(6);
    expect(sent).toBeGreaterThan(CLIENTS * 20);
    for (const { name } of replicas.running) {
      await untilShown(origin, name, { in_flight: 0, load: 0 }, 2_000);
    }
    expect(proxy.log().filter(({ level }) => level === "error")).toEqual([]);
    expect(proxy.stderr()).toBe("");
  },
  LOAD_MS + 120_000,
);
