/**
 * Replicas through the compiled binary in front of a fake engine: which ones share requests, and faults in
 * large numbers or at every byte.
 */
import { describe, expect, test } from "bun:test";
import type { HttpMessage } from "../../support/client/http-message.ts";
import { rawConnect } from "../../support/client/raw-http.ts";
import { chat } from "../../support/client/requests.ts";
import {
  CHAT,
  CompiledReplicas,
  namesOf,
  type Reaction,
} from "../../support/proxy/compiled-replicas.ts";
import { rawRequest } from "../../support/proxy/in-process.ts";
import { untilShown } from "../../support/proxy/shown-status.ts";
import { answer, chunk, head, untilLeft } from "../../support/server/wire-server.ts";
import { until } from "../../support/until.ts";

const FINE: Reaction = ({ send, server }) => send(answer(200, { "X-By": server.name }, "fine"));

const REPLICA = { "inference.replica": "true" };

/** The servers that answer some requests in a row. */
async function takers(replicas: CompiledReplicas, body = CHAT): Promise<readonly string[]> {
  const arrivals = replicas.play(FINE);
  for (let n = 0; n < 8; n += 1) expect((await replicas.ask({ body })).status).toBe(200);
  return [...new Set(namesOf(arrivals))].sort();
}

describe("replicas of a model", () => {
  test("without the label the newest gets all requests, and one warning names the label", async () => {
    await using two = await CompiledReplicas.start(2, { labels: {} });
    expect(await takers(two)).toEqual(["replica-2"]);
    const warnings = two.proxy.log().filter(({ level }) => level === "warn");
    expect(warnings).toHaveLength(1);
    expect(JSON.stringify(warnings)).toContain("inference.replica");
  });

  test("servers with the label share the requests, without a warning; older ones without it get none", async () => {
    const labels = (nth: number): Record<string, string> => (nth === 1 ? {} : REPLICA);
    await using three = await CompiledReplicas.start(3, { labels });
    expect(await takers(three)).toEqual(["replica-2", "replica-3"]);
    const warned = three.proxy.log().filter(({ level }) => level === "warn");
    expect(JSON.stringify(warned)).not.toContain(
      '"container":"replica-3","instead_of":"replica-2"',
    );
  });

  test("the newest, without the label, gets all requests; when it has gone, the others share them", async () => {
    const labels = (nth: number): Record<string, string> => (nth === 3 ? {} : REPLICA);
    await using three = await CompiledReplicas.start(3, { labels });
    expect(await takers(three)).toEqual(["replica-3"]);
    three.engine.exit(three.containerOf(three.newest));
    await untilShown(three.proxy.origin, three.newest.name, { state: "stopped" });
    expect(await takers(three)).toEqual(["replica-1", "replica-2"]);
  });

  test("servers share only a model that both serve; a model that one serves is its own", async () => {
    const models = (nth: number): readonly object[] =>
      nth === 1 ? [{ id: "m" }, { id: "own" }] : [{ id: "m" }];
    await using two = await CompiledReplicas.start(2, { models });
    expect(await takers(two)).toEqual(["replica-1", "replica-2"]);
    expect(await takers(two, '{"model":"own"}')).toEqual(["replica-1"]);
    const arrivals = two.play(({ send }) => send(answer(503, {}, "busy")));
    expect(await two.ask({ body: '{"model":"own"}' })).toMatchObject({ status: 503, body: "busy" });
    expect(namesOf(arrivals)).toEqual(["replica-1"]);
  });

  test("when all are gone: 503 that says so; a replica that comes back gets all requests", async () => {
    await using two = await CompiledReplicas.start(2);
    for (const server of two.servers) {
      two.engine.setHealth(two.containerOf(server), "unhealthy");
      await untilShown(two.proxy.origin, server.name, { state: "unhealthy" });
    }
    const out = await chat(two.proxy.origin, "m");
    expect(out.status).toBe(503);
    expect(await out.json()).toMatchObject({ error: { code: "backend_draining" } });
    two.engine.setHealth(two.containerOf(two.servers[0]!), "healthy");
    await untilShown(two.proxy.origin, "replica-1", { state: "routed" });
    expect(await takers(two)).toEqual(["replica-1"]);
  });
});

describe("a replica that declines", () => {
  test("and never ends its refusal: another one answers", async () => {
    await using two = await CompiledReplicas.start(2);
    two.play((arrival, nth) => {
      if (nth > 0) FINE(arrival, nth);
      else arrival.send(head(503, { "Content-Length": "10" }));
    });
    expect(await two.ask()).toMatchObject({ status: 200, body: "fine" });
  });

  test("with a long body, as do all others: the last refusal arrives complete", async () => {
    await using two = await CompiledReplicas.start(2);
    const long = "x".repeat(3_000_000);
    const arrivals = two.play(({ send, server }) => send(answer(429, {}, server.name + long)));
    const reply = await two.ask();
    expect([reply.status, reply.complete]).toEqual([429, true]);
    expect(reply.body === arrivals[1]!.server.name + long).toBe(true);
  });

  test("with a long body, while the other one is full: the refusal arrives complete", async () => {
    const labels = { ...REPLICA, "inference.max_in_flight": "1" };
    await using two = await CompiledReplicas.start(2, { labels });
    const long = "x".repeat(300_000);
    const arrivals = two.play(({ send }, nth) => nth === 1 && send(answer(503, {}, long)));
    const waiting = two.ask();
    await until("the server has the request", () => arrivals.length === 1);
    const reply = await two.ask();
    expect([reply.status, reply.body === long]).toEqual([503, true]);
    FINE(arrivals[0]!, 0);
    expect(await waiting).toMatchObject({ status: 200, body: "fine" });
    expect(arrivals).toHaveLength(2);
  });

  test("while its client leaves: no other replica gets the request", async () => {
    await using two = await CompiledReplicas.start(2);
    const arrivals = two.play(({ send }) => send(head(503, { "Content-Length": "10" })));
    using client = await rawConnect(two.proxy.port);
    client.send(rawRequest(CHAT));
    await until("the server has the request", () => arrivals.length === 1);
    client.reset();
    await untilLeft(arrivals[0]!);
    expect((await chat(two.proxy.origin, "unknown")).status).toBe(404); // so that the proxy has had time to act
    await untilShown(two.proxy.origin, arrivals[0]!.server.name, { in_flight: 0 });
    expect(arrivals).toHaveLength(1);
  });
});

test("the second attempt equals the first: request line, headers and body", async () => {
  await using two = await CompiledReplicas.start(2);
  const arrivals = two.play((arrival, nth) => (nth === 0 ? arrival.reset() : FINE(arrival, nth)));
  const headers = ["X-Twice: 1", "X-Twice: 2", "Authorization: Bearer x", "Via: 1.1 front"];
  const path = "/v1/chat/completions?a=%2F&a=b";
  expect(await two.ask({ headers, path, body: `${CHAT} \n` })).toMatchObject({ status: 200 });
  const [first, second] = arrivals.map(({ request }) => request) as [HttpMessage, HttpMessage];
  expect(second.start).toBe(`POST ${path} HTTP/1.1`);
  expect(second.body.toString()).toBe(`${CHAT} \n`);
  expect(second.headers.get("x-twice")?.join()).toBe("1, 2");
  expect(second.headers.get("via")?.join()).toMatch(/^1\.1 front, 1\.1 \S+$/);
  const without = ({ headers: all }: HttpMessage): Record<string, unknown> =>
    Object.fromEntries([...all].filter(([name]) => name !== "connection"));
  expect(without(second)).toEqual(without(first));
});

test("a replica dies while it has prompts of 900 kB: the others answer all of them", async () => {
  await using three = await CompiledReplicas.start(3);
  const arrivals = three.play(() => undefined);
  const body = `{"model":"m","prompt":"${"x".repeat(900_000)}"}`;
  const replies = Array.from({ length: 60 }, () => three.ask({ body }));
  await until("the servers have all requests", () => arrivals.length === 60, 20_000);
  const victim = arrivals[0]!.server;
  const lost = arrivals.filter(({ server }) => server === victim).length;
  victim.die();
  three.engine.exit(three.containerOf(victim));
  await until(
    "the other servers have the lost requests",
    () => arrivals.length === 60 + lost,
    20_000,
  );
  for (const arrival of arrivals.filter(({ server }) => server !== victim)) FINE(arrival, 0);
  const bodies = (await Promise.all(replies)).map((reply) => `${reply.status} ${reply.body}`);
  expect(bodies).toEqual(Array(60).fill("200 fine"));
}, 60_000);

test("the drain timeout expires: requests that wait on the stopped replica go to another", async () => {
  await using two = await CompiledReplicas.start(2, { env: { PROXY_DRAIN_TIMEOUT: "300ms" } });
  const arrivals = two.play((arrival, nth) => nth > 0 && FINE(arrival, nth));
  const reply = two.ask();
  await until("the server has the request", () => arrivals.length === 1);
  two.engine.kill(two.containerOf(arrivals[0]!.server));
  expect(await reply).toMatchObject({ status: 200, body: "fine" });
  expect(arrivals).toHaveLength(2);
});

describe("the first attempt of every second request fails, in every way that is possible before its first byte", () => {
  const WAYS: readonly ((arrival: Parameters<Reaction>[0]) => void)[] = [
    ({ reset }) => reset(),
    ({ end }) => end(),
    ({ send }) => send(answer(503, { "Retry-After": "0" }, "busy")),
    ({ send }) => send(`${head(429, { "Transfer-Encoding": "chunked" })}${chunk("x")}${chunk("")}`),
    ({ send, reset }) => {
      send(head(200, { "Content-Length": "4" }));
      setTimeout(reset, 5); // the head is on its way
    },
    ({ send, end }) => {
      send(head(200, { "Transfer-Encoding": "chunked" }));
      setTimeout(end, 5);
    },
  ];

  test("600 requests, 40 at once: each gets a complete answer, and no request stays counted", async () => {
    await using three = await CompiledReplicas.start(3);
    const tried = new Set<string>();
    three.play((arrival, nth) => {
      const [id = ""] = arrival.request.headers.get("x-id") ?? [];
      const isFirst = !tried.has(id);
      tried.add(id);
      if (isFirst && tried.size % 2 === 0) WAYS[(tried.size / 2) % WAYS.length]!(arrival);
      else FINE(arrival, nth);
    });
    const bad: string[] = [];
    const client = async (_: unknown, nth: number): Promise<void> => {
      for (let n = 0; n < 15; n += 1) {
        const { status, body } = await three.ask({ headers: [`X-Id: ${nth}-${n}`] });
        if (status !== 200 || body !== "fine") bad.push(`${status} ${body}`);
      }
    };
    await Promise.all(Array.from({ length: 40 }, client));
    expect(bad).toEqual([]);
    expect(tried.size).toBe(600);
    for (const { name } of three.servers) {
      await untilShown(three.proxy.origin, name, { in_flight: 0 }, 2_000);
    }
  }, 30_000);
});
