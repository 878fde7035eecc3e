/**
 * The compiled binary in front of replicas of one model on a real engine
 * that are killed or stopped. See also tests/replicas/.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { outcomeOf, outcomeOfAnswer, outcomesOf, startLoad } from "../../support/client/load.ts";
import { type StreamedAnswer, streamedChat } from "../../support/client/requests.ts";
import { removeLeftovers, removeServers, type Server } from "../../support/engine/real.ts";
import { answersOf, arrivalsAt, Replicas } from "../../support/engine/replicas.ts";
import { untilShown } from "../../support/proxy/shown-status.ts";
import { buildInferenceImage } from "../../support/server/inference-server/image.ts";
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

/** Waits until the stream continues, then leaves. */
async function untilGoesOn(stream: StreamedAnswer): Promise<void> {
  const { length } = stream.text();
  await until("its stream continues", () => stream.text().length > length);
  stream.cancel();
  await stream.end;
}

/** The replica that has the most requests with this query. */
async function busiest(query: string): Promise<Server> {
  const counted = replicas.running.map(async (server) => {
    const { length } = await arrivalsAt(server, query);
    return { server, length };
  });
  return (await Promise.all(counted)).reduce((most, one) => (one.length > most.length ? one : most))
    .server;
}

test(
  "docker kill of one under load: other replicas answer all waiting requests, and its streams visibly break off",
  async () => {
    const streams = await startStreams(60, { tokens: 10_000, token_delay_ms: 100 });
    await replicas.shutGates();
    const waiting = await replicas.sendWaiting(60, "waiting");
    const victim = await busiest("waiting");
    const broken = streams.filter((stream) => stream.by === victim.name);
    expect(broken.length).toBeGreaterThan(10);
    expect((await arrivalsAt(victim, "waiting")).length).toBeGreaterThan(10);
    await replicas.kill(victim);
    await replicas.untilArrived("waiting", 60); // at the other replicas
    await replicas.openGates();
    for (const answer of waiting) {
      expect(answersOf(...replicas.running)).toContain(await outcomeOfAnswer(answer));
    }
    for (const { end } of broken)
      expect(await within("the end of a broken stream", end)).toStartWith("broken off");
    const others = streams.filter((stream) => !broken.includes(stream));
    await Promise.all(others.map(untilGoesOn));
    await replicas.add();
  },
  TIMEOUT_MS,
);

test(
  "docker stop of one under load: no request fails, and new requests go to the other replicas",
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
