/**
 * The compiled binary in front of containers of one service on a
 * real engine, which share the requests of their model.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { Status } from "../../../src/status.ts";
import { outcomeOf, outcomesOf, startLoad, turnsOf } from "../../support/client/load.ts";
import { post } from "../../support/client/requests.ts";
import {
  admin,
  removeLeftovers,
  removeServers,
  type Server,
  untilHealth,
} from "../../support/engine/real.ts";
import { answersOf, arrivalsAt, Replicas } from "../../support/engine/replicas.ts";
import { untilShown } from "../../support/proxy/shown-status.ts";
import { buildInferenceImage, dockerCli } from "../../support/server/inference-server/image.ts";
import { until } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;

let replicas: Replicas;

beforeAll(async () => {
  await removeLeftovers();
  await buildInferenceImage();
  replicas = await Replicas.start(3);
}, 120_000);

afterEach(async () => {
  await replicas.openGates();
});

afterAll(async () => {
  await replicas[Symbol.asyncDispose]();
  await removeServers();
}, TIMEOUT_MS);

function ask(fields: object = {}): Promise<string> {
  return outcomeOf(replicas.origin, "m", fields);
}

/** A text of this length with a beginning that no other prompt has. */
function randomText(length: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(length)))
    .toString("base64")
    .slice(0, length);
}

function nothing(): void {}

function prompt(content: string): object {
  return { messages: [{ role: "user", content }] };
}

/** The number of requests that all containers together got for this reason in the last minute. */
async function decided(decision: "load" | "prefix"): Promise<number> {
  const response = await fetch(`${replicas.origin}/status`, { keepalive: false });
  const { containers } = (await response.json()) as Pick<Status, "containers">;
  return containers.reduce((sum, one) => sum + (one.requests_last_minute?.[decision] ?? 0), 0);
}

describe("requests", () => {
  test(
    "are counted in the status of each container, with the reasons",
    async () => {
      const before = await decided("load");
      await outcomesOf(12, 1, () => ask());
      expect(await decided("load")).toBe(before + 12);
      for (const { name } of replicas.running) {
        await untilShown(replicas.origin, name, {
          ...{ state: "routed", in_flight: 0, load: 0, max_in_flight: null },
          requests_last_minute: { load: expect.any(Number), prefix: 0, only: 0, failover: 0 },
        });
      }
    },
    TIMEOUT_MS,
  );

  test(
    "that have nothing in common spread evenly",
    async () => {
      const sizes = [0, 300, 2_000, 8_000, 20_000];
      const outcomes = await outcomesOf(150, 12, (nth) =>
        ask({ ...prompt(randomText(sizes[nth % sizes.length]!)), token_delay_ms: 3, tokens: 4 }),
      );
      expect([...outcomes.keys()].sort()).toEqual(answersOf(...replicas.running).sort());
      expect(Math.max(...outcomes.values())).toBeLessThanOrEqual(60); // 40 %
    },
    TIMEOUT_MS,
  );

  test(
    "of one conversation stay together",
    async () => {
      const before = await decided("prefix");
      const topics = Array.from({ length: 6 }, () => randomText(100));
      const conversations = topics.map(async (topic) => {
        const outcomes = new Set<string>();
        for (let turns = 2; turns < 10; turns += 1) {
          outcomes.add(await ask({ messages: turnsOf(topic, turns) }));
        }
        return [...outcomes].join();
      });
      const servers = await Promise.all(conversations);
      expect(await decided("prefix")).toBe(before + 6 * 7); // all except the first turns
      for (const one of servers) expect(answersOf(...replicas.running)).toContain(one);
      expect(new Set(servers).size).toBeGreaterThan(1);
    },
    TIMEOUT_MS,
  );

  test(
    "go to the others while one reads a long prompt",
    async () => {
      await replicas.shutGates();
      const long = post(replicas.origin, "/v1/chat/completions?long", {
        model: "m",
        ...prompt("a long prompt ".repeat(30_000)),
      });
      await replicas.untilArrived("long", 1);
      const short = await replicas.sendWaiting(20, "short");
      for (const server of replicas.running) {
        const [longs, shorts] = [
          await arrivalsAt(server, "long"),
          await arrivalsAt(server, "short"),
        ];
        expect([longs.length, shorts.length]).toEqual(longs.length === 1 ? [1, 0] : [0, 10]);
      }
      await replicas.openGates();
      for (const answer of [long, ...short]) expect((await answer).status).toBe(200);
    },
    TIMEOUT_MS,
  );
});

describe("a replica that", () => {
  test(
    "is new gets its share within a second of becoming healthy",
    async () => {
      await using load = startLoad(replicas.origin, "m", 8);
      const fourth = await replicas.add();
      await using cleanUp = new AsyncDisposableStack();
      cleanUp.defer(() => replicas.stop(fourth));
      const [outcome] = answersOf(fourth) as [string];
      const count = (): number => load.outcomes.get(outcome) ?? 0;
      await until("it gets requests", () => count() > 0, 1_000);
      const sum = (): number => [...load.outcomes.values()].reduce((all, one) => all + one, 0);
      const [sumBefore, countBefore] = [sum(), count()];
      await until("many more requests have been sent", () => sum() >= sumBefore + 200, 10_000);
      expect((count() - countBefore) / (sum() - sumBefore)).toBeWithin(0.1, 0.4); // a quarter, with a tolerance for the speed of each
      await cleanUp.disposeAsync();
      expect(load.others(...answersOf(fourth, ...replicas.running))).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test.each([
    ["503", "&retry_after=2", 2_000],
    ["429", "", 1_000],
  ])(
    "answers %s gets no requests while it cools down, and no client sees the error",
    async (status, more, coolMs) => {
      const [busy] = replicas.running as [Server];
      const others = answersOf(...replicas.except(busy));
      const tag = `cooling-${status}`;
      const send = async (): Promise<string> => {
        const answer = await post(replicas.origin, `/v1/chat/completions?${tag}`, {
          model: "m",
          tokens: 1,
        });
        return `${answer.status} by ${answer.headers.get("x-served-by")}`;
      };
      const came = async (): Promise<number> => {
        const entries = await (await admin(busy, "/requests")).json();
        return (entries as { path: string }[]).filter(({ path }) => path.endsWith(`?${tag}`))
          .length;
      };
      await admin(busy, `/refuse?status=${status}${more}`);
      await until("it has had a request", async () => {
        expect(others).toContain(await send());
        return (await came()) > 0;
      });
      const refusedMs = performance.now();
      for (let n = 0; n < 20; n += 1) expect(others).toContain(await send());
      if (performance.now() - refusedMs < coolMs - 100) expect(await came()).toBe(1);
      await admin(busy, "/refuse");
      await until(
        "it gets requests again",
        async () => (await send()) === `200 by ${busy.name}`,
        coolMs + 3_000,
      );
      expect(performance.now() - refusedMs).toBeGreaterThan(coolMs - 200);
    },
    TIMEOUT_MS,
  );

  test(
    "becomes unhealthy, and one that is paused, get no requests until they are back, and no request fails",
    async () => {
      const [sick, paused, well] = replicas.running as readonly [Server, Server, Server];
      await using load = startLoad(replicas.origin, "m", 12);
      // Also after a failure, because the load cannot end while a container is paused.
      await using cleanUp = new AsyncDisposableStack();
      cleanUp.defer(() => dockerCli("unpause", paused.name).then(nothing, nothing));
      await Promise.all([admin(sick, "/health?state=bad"), dockerCli("pause", paused.name)]);
      await Promise.all([
        replicas.untilState(sick, "unhealthy"),
        replicas.untilState(paused, "paused"),
      ]);
      const outcomes = await outcomesOf(30, 6, () => ask());
      expect([...outcomes.keys()]).toEqual(answersOf(well));
      await Promise.all([admin(sick, "/health?state=good"), dockerCli("unpause", paused.name)]);
      for (const server of [sick, paused]) {
        await untilHealth(server, "healthy");
        await untilShown(replicas.origin, server.name, { state: "routed" }, 2_000);
        await until("it gets requests", async () => answersOf(server).includes(await ask()));
      }
      expect(load.others(...answersOf(...replicas.running))).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
