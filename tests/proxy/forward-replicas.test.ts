/** A replica fails before the first byte of its answer: which server then gets the request. */
import { describe, expect, test } from "bun:test";
import { freePort, rawConnect, rawServer } from "../support/client/raw-http.ts";
import { chat, post } from "../support/client/requests.ts";
import { ENDLESS, rawRequest } from "../support/proxy/in-process.ts";
import {
  counts,
  expectNothingLeft,
  type Replicas,
  startReplicas,
} from "../support/proxy/replicas.ts";
import { blackhole } from "../support/server/blackhole.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { within } from "../support/until.ts";

const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";

test("a replica that refuses connections is skipped, and cools", async () => {
  using idle = fakeBackend();
  using proxy = startReplicas([`http://127.0.0.1:${await freePort()}`, idle.origin]);
  await chat(proxy.origin, "m");
  expect(areCooling(proxy)).toEqual([true, false]);
  for (let n = 0; n < 3; n += 1) expect((await chat(proxy.origin, "m")).status).toBe(200);
  expect(idle.received.length).toBe(4);
  await expectNothingLeft(proxy);
  expect(proxy.log.lines).toEqual([]);
});

test("a replica without a possible connection is skipped, and cools", async () => {
  using hole = await blackhole();
  using other = fakeBackend();
  const patience = { ...ENDLESS, probeAfterMs: 20, connectMs: 50 };
  using proxy = startReplicas([hole.origin, other.origin], { patience });
  expect((await within("an answer", chat(proxy.origin, "m"))).status).toBe(200);
  expect(areCooling(proxy)).toEqual([true, false]);
  await expectNothingLeft(proxy);
});

test("a replica is not probed any more once the head of its answer has arrived", async () => {
  using slow = await rawServer();
  using other = fakeBackend();
  const patience = { ...ENDLESS, probeAfterMs: 300, connectMs: 0 }; // no server can answer a probe within 0 ms
  using proxy = startReplicas([slow.origin, other.origin], { patience });
  const response = chat(proxy.origin, "m");
  const request = await slow.request();
  request.send(`${HEAD}Content-Length: 4\r\n\r\n`);
  await Bun.sleep(400); // longer than `probeAfterMs`: proves that it is not given up
  request.send("slow");
  expect(await (await within("an answer", response)).text()).toBe("slow");
  expect([slow.connections.length, ...counts(other)]).toEqual([1, 0]);
});

test("a request that continues a response goes to the replica that made it", async () => {
  const making = (id: string) => fakeBackend(() => Response.json({ id }));
  using one = making("resp_1");
  using two = making("resp_2");
  using proxy = startReplicas([one.origin, two.origin]);
  const respond = async (more = {}): Promise<void> => {
    await (await post(proxy.origin, "/v1/responses", { model: "m", input: "x", ...more })).bytes();
  };
  await respond();
  await respond();
  expect(counts(one, two)).toEqual([1, 1]);
  for (let n = 0; n < 3; n += 1) await respond({ previous_response_id: "resp_2" });
  await (await fetch(`${proxy.origin}/v1/responses/resp_2`)).bytes();
  expect(counts(one, two)).toEqual([1, 5]);
});

test("only the newest replica loads an adapter", async () => {
  using newest = fakeBackend();
  using other = fakeBackend();
  using proxy = startReplicas([newest.origin, other.origin]);
  for (let n = 0; n < 3; n += 1) {
    await post(proxy.origin, "/v1/load_lora_adapter", { lora_name: "a" });
  }
  expect(counts(newest, other)).toEqual([3, 0]);
});

function areCooling({ backends }: Replicas): readonly boolean[] {
  return backends.map(({ load }) => load.isCooling(performance.now()));
}

test("a request gets 502 if all replicas refuse connections", async () => {
  const origin = `http://127.0.0.1:${await freePort()}`;
  using proxy = startReplicas([origin, origin, origin]);
  const response = await chat(proxy.origin, "m");
  expect([response.status, await response.text()]).toEqual([
    502,
    expect.stringContaining('"code":"backend_unreachable"'),
  ]);
  await expectNothingLeft(proxy);
});

describe("a replica that dies with a request", () => {
  // When a process is killed, the kernel resets a connection only if a part of the request was not read.
  describe.each(["reset", "end"] as const)("(%s)", (how) => {
    test.each<[when: string, sent: string]>([
      ["before its answer", ""],
      ["in the head of its answer", "HTTP/1.1 200 OK\r\nContent-"],
      ["after the head of a stream", `${HEAD}Transfer-Encoding: chunked\r\n\r\n`],
      ["after the head of an answer of known length", `${HEAD}Content-Length: 5\r\n\r\n`],
      ["after the head of a long answer", `${HEAD}Content-Length: 5000000\r\n\r\n`],
    ])("%s loses it to another one", async (_when, sent) => {
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
  ])("after the first byte of %s ends the client's connection", async (_how, start) => {
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

  test("as a second one does not lose it to a third one", async () => {
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
    ["is no known inference", "POST", "/v1/jobs", '{"model":"m"}'],
  ])("does not lose it to another one if the request %s", async (_what, method, path, body) => {
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
    "because its run ends (%s) loses it to another one",
    async (reason) => {
      using silent = await rawServer();
      using other = fakeBackend();
      const patience = { ...ENDLESS, headersMs: 20 };
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

test("a client that leaves before the first byte ends the request, and no other replica gets it", async () => {
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

test("a draining replica keeps the requests that it has not answered yet", async () => {
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

test("a request gets 429 backend_saturated if all replicas are full, and reaches no replica", async () => {
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
