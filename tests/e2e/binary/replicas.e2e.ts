/**
 * Replicas that fail, through the compiled binary in front of a fake
 * engine: which requests go to another replica, and how often.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rawConnect } from "../../support/client/raw-http.ts";
import {
  CHAT,
  CompiledReplicas,
  namesOf,
  type Reaction,
} from "../../support/proxy/compiled-replicas.ts";
import { rawRequest } from "../../support/proxy/in-process.ts";
import { untilShown } from "../../support/proxy/shown-status.ts";
import {
  type Arrival,
  answer,
  chunk,
  head,
  untilLeft,
  type WireServer,
} from "../../support/server/wire-server.ts";
import { until, within } from "../../support/until.ts";

const FINE: Reaction = ({ send, server }) => send(answer(200, { "X-By": server.name }, "fine"));

/** The first server that gets the request does this. All others answer. */
const first =
  (reaction: Reaction): Reaction =>
  (arrival, nth) =>
    (nth === 0 ? reaction : FINE)(arrival, nth);

const RESET: Reaction = ({ reset }) => reset();

let replicas: CompiledReplicas;

beforeAll(async () => {
  replicas = await CompiledReplicas.start(3);
});

afterAll(async () => {
  await replicas[Symbol.asyncDispose]();
});

describe("a replica that declines with 429 or 503", () => {
  test.each([429, 503])("alone (%d): another replica answers", async (status) => {
    const arrivals = replicas.play(first(({ send }) => send(answer(status, {}, "busy"))));
    expect(await replicas.ask()).toMatchObject({ status: 200, body: "fine" });
    expect(new Set(namesOf(arrivals)).size).toBe(2);
    for (const { request } of arrivals) expect(request.body.toString()).toBe(CHAT);
  });

  test("as all others do: the proxy asks each once, and forwards the last answer unchanged", async () => {
    const arrivals = replicas.play(({ send, server }, nth) => {
      const headers = { "Set-Cookie": ["a=1", "b=2"], "Retry-After": "17", "X-By": server.name };
      send(answer(nth === 2 ? 503 : 429, headers, `busy ${nth}`));
    });
    const { status, headers, body } = await replicas.ask();
    expect([...namesOf(arrivals)].sort()).toEqual(["replica-1", "replica-2", "replica-3"]);
    expect([status, body]).toEqual([503, "busy 2"]);
    expect(headers.get("x-by")).toEqual([arrivals[2]!.server.name]);
    expect(headers.get("set-cookie")).toEqual(["a=1", "b=2"]);
    expect(headers.get("retry-after")).toEqual(["17"]);
  });

  test("in chunks or without a length: another replica answers, or the last refusal is forwarded", async () => {
    const refusal = `${head(503, { "Transfer-Encoding": "chunked" })}${chunk("busy")}${chunk("")}`;
    const arrivals = replicas.play(first(({ send }) => send(refusal)));
    expect(await replicas.ask()).toMatchObject({ status: 200, body: "fine" });
    replicas.play(({ send, end }) => {
      send(`${head(429, { Connection: "close" })}busy`);
      end();
    });
    expect(await replicas.ask()).toMatchObject({ status: 429, body: "busy", complete: true });
    expect(arrivals).toHaveLength(2);
  });
});

test.each([400, 404, 422, 500, 502, 504])(
  "the proxy never repeats a request after an answer of %d",
  async (status) => {
    const arrivals = replicas.play(({ send }) => send(answer(status, { "X-Own": "1" }, "its own")));
    const reply = await replicas.ask();
    expect(reply).toMatchObject({ status, body: "its own", complete: true });
    expect(reply.headers.get("x-own")).toEqual(["1"]);
    expect(arrivals).toHaveLength(1);
  },
);

describe("a replica that breaks off", () => {
  test.each<[string, string, "end" | "reset"]>([
    ["before its head", "", "reset"],
    ["before its head", "", "end"],
    ["within its head", "HTTP/1.1 200 OK\r\nX-", "reset"],
    ["after its head", head(200, { "Content-Length": "9" }), "reset"],
    ["after its head", head(200, { "Content-Length": "9" }), "end"],
    ["after its head", head(200, { "Content-Length": "5000000" }), "reset"],
    ["after its head", head(200, { "Transfer-Encoding": "chunked" }), "end"],
    ["after the head of an event stream", eventsHead(), "reset"],
    ["in the size of its first chunk", `${eventsHead()}9`, "end"],
  ])(
    "%s (%j, %s): another replica answers, and the client sees nothing of the first",
    async (...[, sent, how]) => {
      const arrivals = replicas.play(
        first((arrival) => {
          arrival.send(sent);
          arrival[how]();
        }),
      );
      const reply = await replicas.ask();
      expect(reply).toMatchObject({ status: 200, body: "fine", complete: true });
      expect(reply.headers.get("content-type")).toBeUndefined();
      expect(arrivals).toHaveLength(2);
    },
  );

  test.each<[string, string]>([
    ["of an answer of known length", `${head(200, { "Content-Length": "9" })}abc`],
    ["of a long answer", `${head(200, { "Content-Length": "3000000" })}abc`],
    ["of a stream", `${head(200, { "Transfer-Encoding": "chunked" })}${chunk("abc")}`],
  ])("after the first bytes %s: the client's answer breaks off too", async (_of, sent) => {
    const arrivals = replicas.play(({ send, reset }) => {
      send(sent);
      setTimeout(reset, 50); // a reset discards bytes that the kernel has not passed on yet
    });
    expect(await replicas.ask()).toMatchObject({ complete: false });
    expect(arrivals).toHaveLength(1);
  });

  test("so does the second one: the proxy tries no third, and the client gets a 502", async () => {
    const arrivals = replicas.play(RESET);
    const reply = await replicas.ask();
    expect(new Set(namesOf(arrivals)).size).toBe(2);
    expect(reply.status).toBe(502);
    expect(reply.body).toContain("backend_unreachable");
  });
});

describe("a prompt that kills every server that gets it", () => {
  test.each([
    ["at once, over connections that were already open", true],
    ["at once, over new connections", false],
  ])("kills two of four replicas, %s", async (_how, isWarm) => {
    await using four = await CompiledReplicas.start(4);
    if (isWarm) await four.warmUp(FINE);
    const dead = new Set<WireServer>();
    four.play(({ server }) => {
      dead.add(server);
      server.die();
    });
    expect((await four.ask()).status).toBe(502);
    expect(dead.size).toBe(2);
    four.play(FINE);
    expect(await four.ask()).toMatchObject({ status: 200, body: "fine" });
  });

  test("kills two of four replicas when each dies after it has sent its head", async () => {
    await using four = await CompiledReplicas.start(4);
    await four.warmUp(FINE);
    const dead = new Set<WireServer>();
    four.play(({ server, send }) => {
      send(eventsHead());
      dead.add(server);
      setTimeout(() => server.die(), 20); // the head is on its way
    });
    expect((await four.ask()).status).toBe(502);
    expect(dead.size).toBe(2);
  });
});

test("the proxy skips replicas that refuse connections; a client gets an error only when the last one refuses too", async () => {
  await using three = await CompiledReplicas.start(3);
  const [one, two, newest] = three.servers as readonly [WireServer, WireServer, WireServer];
  two.die();
  newest.die();
  three.play(FINE);
  for (let n = 0; n < 4; n += 1) {
    expect(await three.ask()).toMatchObject({ status: 200, body: "fine" });
  }
  one.die();
  expect((await three.ask()).status).toBeOneOf([502, 503]);
});

describe("a request that waits for a replica", () => {
  test("with a stop notice stays there; if that replica dies, another one answers", async () => {
    await using three = await CompiledReplicas.start(3);
    const arrivals = three.play(first(() => undefined));
    const reply = three.ask();
    await until("the server has the request", () => arrivals.length === 1);
    const [{ server, closed }] = arrivals as [Arrival];
    three.engine.kill(three.containerOf(server));
    await untilShown(three.proxy.origin, server.name, { state: "stopping", in_flight: 1 });
    for (let n = 0; n < 3; n += 1) expect((await three.ask()).status).toBe(200);
    expect(closed()).toBe(false);
    server.die();
    three.engine.exit(three.containerOf(server));
    expect(await reply).toMatchObject({ status: 200, body: "fine" });
    expect(namesOf(arrivals).filter((name) => name === server.name)).toHaveLength(1);
  });

  test.each([
    ["before its head", ""],
    ["after its head", eventsHead()],
  ])(
    "whose container has ended, and whose connection hangs %s, goes to another replica",
    async (_where, sent) => {
      await using three = await CompiledReplicas.start(3);
      const arrivals = three.play(first(({ send }) => send(sent)));
      const reply = three.ask();
      await until("the server has the request", () => arrivals.length === 1);
      const [hanging] = arrivals as [Arrival];
      three.engine.exit(three.containerOf(hanging.server));
      expect(await within("the answer", reply)).toMatchObject({ status: 200, body: "fine" });
      await untilLeft(hanging);
    },
  );

  test("that has sent its head ends when the client leaves, and is no longer counted", async () => {
    const arrivals = replicas.play(({ send }) => send(eventsHead()));
    const client = await rawConnect(replicas.proxy.port);
    client.send(rawRequest(CHAT));
    await until("the server has the request", () => arrivals.length === 1);
    const [{ server }] = arrivals as [Arrival];
    await untilShown(replicas.proxy.origin, server.name, { in_flight: 1 });
    client.reset();
    await untilLeft(arrivals[0]!);
    await untilShown(replicas.proxy.origin, server.name, { in_flight: 0 });
    expect(arrivals).toHaveLength(1);
  });
});

test("at the end no request is counted as in flight or unanswered", async () => {
  for (const { name } of replicas.servers) {
    await untilShown(replicas.proxy.origin, name, { in_flight: 0, load: 0 }, 2_000);
  }
});

function eventsHead(): string {
  return head(200, { "Content-Type": "text/event-stream", "Transfer-Encoding": "chunked" });
}
