/** The compiled binary in front of replicas of one model on a real engine that are killed, stopped, replaced, or full. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mixedRequests, outcomeOf, outcomesOf, startLoad } from "../../support/client/load.ts";
import { chat, type StreamedAnswer, streamedChat } from "../../support/client/requests.ts";
import { removeLeftovers, removeServers, type Server } from "../../support/engine/real.ts";
import { answersOf, arrivalsAt, Replicas } from "../../support/engine/replicas.ts";
import { untilShown } from "../../support/proxy/shown-status.ts";
import { buildInferenceImage, dockerCli } from "../../support/server/inference-server/image.ts";
import { until, within } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;

let replicas: Replicas;

beforeAll(async () => {
  await removeLeftovers();
  await buildInferenceImage();
  replicas = await Replicas.start(3);
}, 120_000);

afterAll(async () => {
  await replicas[Symbol.asyncDispose]();
  await removeServers();
}, TIMEOUT_MS);

function startStreams(count: number, fields: object): Promise<readonly StreamedAnswer[]> {
  return Promise.all(
    Array.from({ length: count }, () => streamedChat(replicas.origin, "m", fields)),
  );
}

/** Waits until more of it comes, then leaves. */
async function untilGoesOn(stream: StreamedAnswer): Promise<void> {
  const { length } = stream.text();
  await until("its stream goes on", () => stream.text().length > length);
  stream.cancel();
  await stream.end;
}

async function outcomeOfAnswer(answer: Promise<Response>): Promise<string> {
  const response = await answer;
  await response.arrayBuffer();
  return `${response.status} by ${response.headers.get("x-served-by")}`;
}

/** Which of them has the most of what came with this query. */
async function busiest(query: string): Promise<Server> {
  const counted = replicas.running.map(async (server) => {
    const { length } = await arrivalsAt(server, query);
    return { server, length };
  });
  return (await Promise.all(counted)).reduce((most, one) => (one.length > most.length ? one : most))
    .server;
}

test(
  "docker kill of one under load: all that waited are answered by others, and its streams break visibly",
  async () => {
    const streams = await startStreams(60, { tokens: 10_000, token_delay_ms: 100 });
    await replicas.shutGates();
    const waiting = await replicas.sendWaiting(60, "waiting");
    const victim = await busiest("waiting");
    const broken = streams.filter((stream) => stream.by === victim.name);
    expect(broken.length).toBeGreaterThan(10);
    expect((await arrivalsAt(victim, "waiting")).length).toBeGreaterThan(10);
    await replicas.kill(victim);
    await replicas.untilArrived("waiting", 60); // at the others
    await replicas.openGates();
    for (const answer of waiting) {
      expect(answersOf(...replicas.running)).toContain(await outcomeOfAnswer(answer));
    }
    for (const { end } of broken) expect(await within("its end", end)).toStartWith("broken off");
    const others = streams.filter((stream) => !broken.includes(stream));
    await Promise.all(others.map(untilGoesOn));
    await replicas.add();
  },
  TIMEOUT_MS,
);

test(
  "docker stop of one under load: nothing fails, and what comes later goes to the others",
  async () => {
    const [stopping] = replicas.running as [Server];
    const pace = { first_token_delay_ms: 1_500, tokens: 20, token_delay_ms: 50 };
    const streams = await startStreams(15, { ...pace, first_token_delay_ms: 0, tokens: 40 });
    const waiting = await replicas.sendWaiting(30, "stopping", pace);
    expect((await arrivalsAt(stopping, "stopping")).length).toBeGreaterThan(5);
    await using load = startLoad(replicas.origin, "m", 4);
    const stopped = replicas.stop(stopping);
    await untilShown(replicas.origin, stopping.name, { state: "stopping" });
    const outcomes = await outcomesOf(30, 5, () => outcomeOf(replicas.origin, "m"));
    expect([...outcomes.keys()].sort()).toEqual(answersOf(...replicas.running).sort());
    const ends = await Promise.all(waiting.map(outcomeOfAnswer));
    expect(ends.filter((end) => !answersOf(stopping, ...replicas.running).includes(end))).toEqual(
      [],
    );
    for (const { end } of streams) expect(await within("the stream", end, 10_000)).toBe("complete");
    await stopped;
    expect(load.others(...answersOf(stopping, ...replicas.running))).toEqual([]);
    await replicas.add();
  },
  TIMEOUT_MS,
);

test(
  "docker restart of one that ends at once when it is told to: all that waited are answered by others",
  async () => {
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

test(
  "all three are replaced one after the other, under 20 clients: not one request fails",
  async () => {
    const old = [...replicas.running];
    const { proxy, origin } = replicas;
    await using load = startLoad(origin, "m", 20, mixedRequests());
    for (const server of old) await replicas.replace(server);
    for (const answer of answersOf(...replicas.running)) {
      await until(`there is a ${answer}`, () => load.outcomes.has(answer));
    }
    expect(load.others(...answersOf(...old, ...replicas.running))).toEqual([]);
    expect(proxy.log().filter(({ level }) => level === "error")).toEqual([]);
  },
  TIMEOUT_MS,
);

describe("inference.max_in_flight", () => {
  test.each([
    ["with the replica label: 429 when all are full, and not before", "true", 2],
    ["without it: what is too much for the newest goes to no older one", "", 1],
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
