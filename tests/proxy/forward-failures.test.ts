import { describe, expect, test } from "bun:test";
import type { Backend } from "../../src/routing/backend.ts";
import {
  completeBody,
  freePort,
  type RawConnection,
  rawConnect,
  rawServer,
} from "../support/client/raw-http.ts";
import { type RunningProxy, rawRequest, startProxyTo } from "../support/proxy/in-process.ts";
import { until } from "../support/until.ts";

const UNREACHABLE = '"code":"backend_unreachable"';
const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
/** The end of a complete chunked body. */
const LAST_CHUNK = "0\r\n\r\n";

async function expectRelease(proxy: RunningProxy & { readonly backend: Backend }): Promise<void> {
  await until("the lease has ended", () => proxy.backend.inFlight === 0);
  await until("the connection is no longer kept open", () => proxy.keptOpen() === 0);
}

describe("forward() answers 502", () => {
  async function expectUnreachable(
    origin: string,
    fail: (client: RawConnection) => Promise<void> = async () => undefined,
  ): Promise<void> {
    using proxy = startProxyTo(origin);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    await fail(client);
    await client.waitFor("}}");
    expect(client.received()).toStartWith("HTTP/1.1 502 ");
    expect(client.received()).toContain(UNREACHABLE);
    await expectRelease(proxy);
    await until("it is logged", () => proxy.log.lines.length > 0);
    const message = "requests failed";
    expect(proxy.log.lines).toMatchObject([
      { level: "warn", message, container: "vllm-1", model: "m", requests: 1 },
    ]);
    expect(proxy.log.lines[0]!["reason"]).toMatch(
      /^(?:the proxy cannot pass on )?the server(?:'s answer)? /,
    );
  }

  test("when the backend refuses the connection", async () => {
    await expectUnreachable(`http://127.0.0.1:${await freePort()}`);
  });

  test.each<[how: string, fail: (upstream: RawConnection) => void]>([
    ["resets before the first byte", (upstream) => upstream.reset()],
    ["ends before the first byte", (upstream) => upstream.end()],
    [
      "ends in the middle of its headers",
      (upstream) => {
        upstream.send("HTTP/1.1 200 OK\r\nContent-");
        upstream.end();
      },
    ],
    [
      "does not speak HTTP",
      (upstream) => {
        upstream.send("SSH-2.0-OpenSSH_9.6\r\n\r\n");
        upstream.end();
      },
    ],
    [
      "sends two different lengths",
      (upstream) => upstream.send(`${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`),
    ],
    [
      "switches to a protocol without a request",
      (upstream) =>
        upstream.send("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    ],
  ])("when the backend %s", async (_how, fail) => {
    using upstream = await rawServer();
    await expectUnreachable(upstream.origin, async () => fail(await upstream.request()));
  });

  test.each([600, 999])("to status %d, and closes the backend's connection", async (status) => {
    // Once the proxy did not read such an answer to its end, and the backend kept sending it.
    using upstream = await rawServer();
    await expectUnreachable(upstream.origin, async (client) => {
      const connection = await upstream.request();
      connection.send(`${CHUNKED}5\r\nhello\r\n`.replace("200", String(status)));
      await client.waitFor(UNREACHABLE);
      await until("the backend sees the hang-up", connection.closed, 250);
    });
  });
});

describe("forward() aborts the client's connection", () => {
  const HALF: readonly [framing: string, half: string][] = [
    ["between two chunks", `${CHUNKED}5\r\nhello\r\n`],
    ["in the middle of a chunk", `${CHUNKED}5\r\nhello\r\n5\r\nwo`],
    ["before Content-Length is reached", `${HEAD}Content-Length: 2000000\r\n\r\nhello`],
  ];

  test.each(
    HALF.flatMap(([framing, half]) =>
      (["end", "reset"] as const).map((how) => [framing, how, half] as const),
    ),
  )("when the answer breaks off %s, by %s", async (_framing, how, half) => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    const connection = await upstream.request();
    connection.send(half);
    await client.waitFor("hello");
    connection[how]();
    await client.waitForClose();
    expect(completeBody(client.received())).toBeUndefined();
    await expectRelease(proxy);
    await until("it is logged", () => proxy.log.lines.length > 0);
    const message = "answers broken off";
    expect(proxy.log.lines).toMatchObject([
      { level: "warn", message, container: "vllm-1", model: "m", answers: 1 },
    ]);
    expect(proxy.log.lines[0]!["reason"]).toMatch(
      /^the server closed the connection [\d.]+ s into the answer; its container still seems to run$/,
    );
  });

  test.each(["end", "reset"] as const)(
    "when a short answer breaks off before its Content-Length, by %s",
    async (how) => {
      using upstream = await rawServer();
      using proxy = startProxyTo(upstream.origin);
      using client = await rawConnect(proxy.port);
      client.send(rawRequest());
      const connection = await upstream.request();
      connection.send(`${HEAD}Content-Length: 100\r\n\r\nhello`);
      connection[how]();
      await client.waitForClose();
      expect(completeBody(client.received())).toBeUndefined();
      await expectRelease(proxy);
      await until("it is logged", () => proxy.log.lines.length > 0);
      expect(proxy.log.lines).toMatchObject([{ level: "warn", container: "vllm-1", model: "m" }]);
    },
  );

  test("when a chunk of the answer is invalid", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    const connection = await upstream.request();
    connection.send(`${CHUNKED}5\r\nhello\r\n`);
    await client.waitFor("hello");
    connection.send("zz\r\nwhat\r\n");
    await client.waitForClose();
    expect(completeBody(client.received())).toBeUndefined();
    await expectRelease(proxy);
  });

  test("when the answer breaks off before its first byte of body", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    const connection = await upstream.request();
    connection.send(CHUNKED);
    await client.waitFor("HTTP/1.1 200 OK");
    connection.reset();
    await client.waitForClose();
    expect(completeBody(client.received())).toBeUndefined();
    await expectRelease(proxy);
  });

  test("and a client's fetch fails", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    const body = '{"model":"m"}';
    const request = fetch(`${proxy.origin}/v1/x`, { method: "POST", body });
    const connection = await upstream.request();
    connection.send(`${CHUNKED}5\r\nhello\r\n`);
    const answer = await request;
    connection.end();
    await expect(answer.text()).rejects.toThrow();
    await expectRelease(proxy);
  });
});

describe("forward() ends the client's answer in order", () => {
  test.each<[framing: string, whole: string]>([
    ["chunked", `${CHUNKED}5\r\nhello\r\n${LAST_CHUNK}`],
    ["with a Content-Length", `${HEAD}Content-Length: 5\r\n\r\nhello`],
    ["ended by its connection", `${HEAD}\r\nhello`],
  ])("when the backend's answer is %s", async (_framing, whole) => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest(undefined, ["Connection: close"]));
    const connection = await upstream.request();
    connection.send(whole);
    connection.end();
    await client.waitForClose();
    expect(completeBody(client.received())).toBe("hello");
    await expectRelease(proxy);
    expect(proxy.log.lines).toEqual([]);
  });
});
