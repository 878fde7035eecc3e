/** The load that a request adds to its replica, and when the replica is free of it again. */
import { describe, expect, test } from "bun:test";
import { freePort, rawConnect, rawServer } from "../support/client/raw-http.ts";
import { chat } from "../support/client/requests.ts";
import { rawRequest } from "../support/proxy/in-process.ts";
import { counts, expectNothingLeft, startReplicas } from "../support/proxy/replicas.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until, within } from "../support/until.ts";

const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";

describe("a request's load on its replica", () => {
  const PROMPT = JSON.stringify([{ role: "user", content: "x".repeat(3_000) }]);
  const BODY = `{"model":"m","messages":${PROMPT}}`;

  test.each<[how: string, head: string, body: string]>([
    ["a stream", `${HEAD}Transfer-Encoding: chunked\r\n\r\n`, "3\r\nabc\r\n"],
    ["an answer of known length", `${HEAD}Content-Length: 5\r\n\r\n`, "ab"],
    ["a long answer", `${HEAD}Content-Length: 5000000\r\n\r\n`, "ab"],
  ])(
    "includes the prompt until the first byte of %s, and the request until the end",
    async (_how, head, body) => {
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
    },
  );

  test("includes the prompt even if the request's body is no longer kept", async () => {
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

test("a replica that was closing a connection gets the request again; if it then dies, another one gets it", async () => {
  using closing = await rawServer();
  using other = fakeBackend();
  using proxy = startReplicas([closing.origin, other.origin]);
  const { load } = proxy.backends[0]!;
  const messages = [{ role: "user", content: "a".repeat(3_000) }];
  const first = chat(proxy.origin, "m", { messages });
  const pooled = await closing.request(0);
  pooled.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  expect(await (await first).text()).toBe("ok");
  const second = chat(proxy.origin, "m", { messages });
  await until(
    "the request comes over the same connection",
    () => pooled.received().split("POST").length > 2,
  );
  const { unreadBytes } = load;
  expect(unreadBytes).toBeGreaterThan(0);
  pooled.reset();
  const fresh = await closing.request(1);
  expect([load.inFlight, load.unreadBytes]).toEqual([1, unreadBytes]);
  fresh.reset();
  expect(await (await within("an answer", second)).text()).toBe("answer");
  await expectNothingLeft(proxy);
});

test("a request gets 429 backend_saturated if its replica fails and the others are full", async () => {
  using slow = await rawServer();
  using proxy = startReplicas([`http://127.0.0.1:${await freePort()}`, slow.origin], {
    maxInFlight: 1,
  });
  const first = chat(proxy.origin, "m");
  const request = await slow.request();
  const second = await chat(proxy.origin, "m");
  expect([second.status, second.headers.get("retry-after")]).toEqual([429, "1"]);
  expect(await second.json()).toMatchObject({ error: { code: "backend_saturated" } });
  request.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  expect((await first).status).toBe(200);
  await expectNothingLeft(proxy);
});

test("a replica that gets a request after another one failed it has to read the whole prompt", async () => {
  using slow = await rawServer();
  using proxy = startReplicas([`http://127.0.0.1:${await freePort()}`, slow.origin]);
  const messages = [{ role: "user", content: "a".repeat(3_000) }];
  const response = chat(proxy.origin, "m", { messages });
  const request = await slow.request();
  expect(proxy.backends[1]!.load.unreadBytes).toBe(JSON.stringify(messages).length);
  request.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  expect((await response).status).toBe(200);
  await expectNothingLeft(proxy);
});

test("the turns of a conversation go to one replica, and other prompts are spread", async () => {
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
