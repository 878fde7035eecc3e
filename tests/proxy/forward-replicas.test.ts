/** What a replica does before the first byte of its answer, and who gets the request then. */
import { describe, expect, test } from "bun:test";
import { freePort, rawConnect, rawServer } from "../support/client/raw-http.ts";
import { chat } from "../support/client/requests.ts";
import { rawRequest } from "../support/proxy/in-process.ts";
import {
  counts,
  expectNothingLeft,
  type Replicas,
  startReplicas,
} from "../support/proxy/replicas.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until, within } from "../support/until.ts";

test("a replica that refuses connections is passed by, and cools", async () => {
  using idle = fakeBackend();
  using proxy = startReplicas([`http://127.0.0.1:${await freePort()}`, idle.origin]);
  await chat(proxy.origin, "m");
  expect(areCooling(proxy)).toEqual([true, false]);
  for (let n = 0; n < 3; n += 1) expect((await chat(proxy.origin, "m")).status).toBe(200);
  expect(idle.received.length).toBe(4);
  await expectNothingLeft(proxy);
  expect(proxy.log.lines).toEqual([]);
});

function areCooling({ backends }: Replicas): readonly boolean[] {
  return backends.map(({ load }) => load.isCooling(performance.now()));
}

test("all replicas refuse connections: 502", async () => {
  const origin = `http://127.0.0.1:${await freePort()}`;
  using proxy = startReplicas([origin, origin, origin]);
  const response = await chat(proxy.origin, "m");
  expect([response.status, await response.text()]).toEqual([
    502,
    expect.stringContaining('"code":"backend_unreachable"'),
  ]);
  await expectNothingLeft(proxy);
});

const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";

describe("a replica that dies with a request", () => {
  // The kernel of a process that is killed resets a connection only if some of the request was not read.
  describe.each(["reset", "end"] as const)("(%s)", (how) => {
    test.each<[when: string, sent: string]>([
      ["before its answer", ""],
      ["in the head of its answer", "HTTP/1.1 200 OK\r\nContent-"],
      ["behind the head of a stream", `${HEAD}Transfer-Encoding: chunked\r\n\r\n`],
      ["behind the head of an answer of known length", `${HEAD}Content-Length: 5\r\n\r\n`],
      ["behind the head of a long one", `${HEAD}Content-Length: 5000000\r\n\r\n`],
    ])("%s: another one answers", async (_when, sent) => {
      using dying = await rawServer();
      using other = fakeBackend();
      using proxy = startReplicas([dying.origin, other.origin]);
      const response = chat(proxy.origin, "m");
      const request = await dying.request();
      request.send(sent);
      request[how]();
      expect(await (await within("an answer", response)).text()).toBe("answer");
      await expectNothingLeft(proxy);
    });
  });

  test.each<[how: string, start: string]>([
    ["a stream", `${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`],
    ["a long answer", `${HEAD}Content-Length: 5000000\r\n\r\nab`],
  ])("after the first byte of %s: the client's connection is aborted", async (_how, start) => {
    using dying = await rawServer();
    using other = fakeBackend();
    using proxy = startReplicas([dying.origin, other.origin]);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    const request = await dying.request();
    request.send(start);
    await client.waitFor("\r\n\r\n");
    request.reset();
    await client.waitForClose();
    expect(client.received()).not.toContain("answer");
    expect(client.received()).not.toContain("0\r\n\r\n");
    expect(counts(other)).toEqual([0]);
    await expectNothingLeft(proxy);
  });

  test("two die: no third one gets it", async () => {
    using one = await rawServer();
    using two = await rawServer();
    using third = fakeBackend();
    using proxy = startReplicas([one.origin, two.origin, third.origin]);
    const response = chat(proxy.origin, "m");
    (await one.request()).reset();
    (await two.request()).reset();
    expect((await within("an answer", response)).status).toBe(502);
    expect(counts(third)).toEqual([0]);
    expect(areCooling(proxy)).toEqual([true, true, false]);
    await expectNothingLeft(proxy);
  });

  test.each<[what: string, method: string, path: string, body: string | undefined]>([
    ["deletes", "DELETE", "/v1/x?model=m", undefined],
    ["cancels", "POST", "/v1/x/cancel?model=m", undefined],
    ["uploads a file", "POST", "/v1/files?model=m", "{}"],
    ["loads an adapter", "POST", "/v1/load_lora_adapter", '{"lora_name":"a"}'],
    ["is no inference that we know", "POST", "/v1/jobs", '{"model":"m"}'],
  ])("no other one gets a request that %s", async (_what, method, path, body) => {
    using dying = await rawServer();
    using other = fakeBackend();
    using proxy = startReplicas([dying.origin, other.origin]);
    const response = fetch(`${proxy.origin}${path}`, { method, ...(body && { body }) });
    (await dying.request()).reset();
    expect((await within("an answer", response)).status).toBe(502);
    expect(counts(other)).toEqual([0]);
    await expectNothingLeft(proxy);
  });

  test.each(["run-over", "cut"] as const)(
    "its run ends (%s): another one answers",
    async (reason) => {
      using silent = await rawServer();
      using other = fakeBackend();
      const patience = { headersMs: 20, readMs: 1_000_000, probeAfterMs: 1_000_000, connectMs: 1 };
      using proxy = startReplicas([silent.origin, other.origin], { patience });
      const response = chat(proxy.origin, "m");
      const request = await silent.request();
      request.send(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
      proxy.table.remove(proxy.backends[0]!, reason);
      expect(await (await within("an answer", response)).text()).toBe("answer");
      await expectNothingLeft(proxy);
    },
  );
});

test("a client that leaves before the first byte ends the request to the replica, and no other gets it", async () => {
  using silent = await rawServer();
  using other = fakeBackend();
  using proxy = startReplicas([silent.origin, other.origin]);
  using client = await rawConnect(proxy.port);
  client.send(rawRequest());
  const request = await silent.request();
  request.send(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
  client.reset();
  await request.waitForClose();
  await expectNothingLeft(proxy);
  expect(counts(other)).toEqual([0]);
});

test("a replica that drains keeps the requests that it has not answered yet", async () => {
  using slow = await rawServer();
  using other = fakeBackend();
  using proxy = startReplicas([slow.origin, other.origin]);
  const response = chat(proxy.origin, "m");
  const request = await slow.request();
  proxy.table.drain(proxy.backends[0]!);
  expect(await (await chat(proxy.origin, "m")).text()).toBe("answer");
  request.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow");
  expect(await (await within("an answer", response)).text()).toBe("slow");
  expect(counts(other)).toEqual([1]);
});

test("full replicas: 429 backend_saturated, and none gets the request", async () => {
  using slow = await rawServer();
  using proxy = startReplicas([slow.origin, slow.origin], { maxInFlight: 1 });
  const waiting = [chat(proxy.origin, "m"), chat(proxy.origin, "m")];
  await slow.request(0);
  await slow.request(1);
  const response = await chat(proxy.origin, "m");
  expect([response.status, response.headers.get("retry-after")]).toEqual([429, "1"]);
  expect(await response.json()).toMatchObject({
    type: "error",
    error: { type: "rate_limit_error", code: "backend_saturated", param: "model" },
  });
  for (const connection of slow.connections) {
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  }
  for (const response_ of waiting) expect((await response_).status).toBe(200);
  await expectNothingLeft(proxy);
});

describe("what a request adds to the load of its replica", () => {
  const PROMPT = JSON.stringify([{ role: "user", content: "x".repeat(3_000) }]);
  const BODY = `{"model":"m","messages":${PROMPT}}`;

  test.each<[how: string, head: string, body: string]>([
    ["a stream", `${HEAD}Transfer-Encoding: chunked\r\n\r\n`, "3\r\nabc\r\n"],
    ["an answer of known length", `${HEAD}Content-Length: 5\r\n\r\n`, "ab"],
    ["a long answer", `${HEAD}Content-Length: 5000000\r\n\r\n`, "ab"],
  ])("its prompt until the first byte of %s, itself until the end", async (_how, head, body) => {
    using answering = await rawServer();
    using other = fakeBackend();
    using proxy = startReplicas([answering.origin, other.origin]);
    const load = proxy.backends[0]!.load;
    using client = await rawConnect(proxy.port);
    client.send(rawRequest(BODY));
    const request = await answering.request();
    expect([load.inFlight, load.unreadBytes]).toEqual([1, PROMPT.length]);
    request.send(head);
    request.send(body);
    await until("the prompt is read", () => load.unreadBytes === 0);
    expect(load.inFlight).toBe(1);
    request.reset();
    await client.waitForClose();
    expect(client.received()).not.toContain("0\r\n\r\n");
    expect(counts(other)).toEqual([0]);
    await expectNothingLeft(proxy);
  });

  test("also where the body of the request is not at hand any more", async () => {
    using answering = await rawServer();
    using proxy = startReplicas([answering.origin, answering.origin]);
    const [one, two] = proxy.backends;
    using client = await rawConnect(proxy.port);
    const chunk = `${Buffer.byteLength(BODY).toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;
    const head =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send(`${head}${chunk}`);
    const request = await answering.request();
    const { load } = one!.inFlight === 1 ? one! : two!;
    expect(load.unreadBytes).toBe(PROMPT.length);
    request.send(`${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
    await until("the prompt is read", () => load.unreadBytes === 0);
    expect(load.inFlight).toBe(1);
    request.send("0\r\n\r\n");
    await expectNothingLeft(proxy);
  });
});

test("the turns of a conversation go to one replica, and other prompts go round", async () => {
  using one = fakeBackend();
  using two = fakeBackend();
  using proxy = startReplicas([one.origin, two.origin]);
  const messages = [{ role: "user", content: "a".repeat(3_000) }];
  for (let turn = 0; turn < 5; turn += 1) {
    expect((await chat(proxy.origin, "m", { messages })).status).toBe(200);
    messages.push({ role: "assistant", content: `answer ${turn}` });
  }
  expect([...counts(one, two)].sort()).toEqual([0, 5]);
  for (let n = 0; n < 4; n += 1) {
    const strange = [{ role: "user", content: `${n}`.repeat(3_000) }];
    await chat(proxy.origin, "m", { messages: strange });
  }
  expect([...counts(one, two)].sort()).toEqual([2, 7]);
});
