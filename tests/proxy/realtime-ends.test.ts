import { describe, expect, test } from "bun:test";
import type { Backend } from "../../src/routing/backend.ts";
import { type Conversation, converse } from "../support/client/websocket.ts";
import { ENDLESS, type RunningProxy, startProxyTo } from "../support/proxy/in-process.ts";
import { startWebSocketServer, type WebSocketServer } from "../support/server/websocket-server.ts";
import { until } from "../support/until.ts";

type Open = {
  readonly server: WebSocketServer;
  readonly proxy: RunningProxy & { readonly backend: Backend };
  readonly client: Conversation;
};

const MIB = 1024 * 1024;

/** One open WebSocket. */
async function withOne(
  what: (open: Open) => Promise<void>,
  init: Parameters<typeof startProxyTo>[1] = {},
): Promise<void> {
  using server = startWebSocketServer();
  using proxy = startProxyTo(server.origin, init);
  const client = await converse(`${proxy.origin}/v1/realtime`);
  expect(proxy.backend.inFlight).toBe(1);
  await what({ server, proxy, client });
  await until("the lease has ended", () => proxy.backend.inFlight === 0);
  await until("nothing is kept open", () => proxy.keptOpen() === 0);
}

function serverSide({ open }: WebSocketServer): Bun.ServerWebSocket<unknown> {
  const [socket] = open;
  if (socket === undefined) throw new Error("none is open");
  return socket;
}

describe("a WebSocket ends", () => {
  test("when its client closes it: the server gets code and reason", async () => {
    await withOne(async ({ server, client }) => {
      client.socket.close(4001, "enough");
      expect(await client.closed()).toEqual({ code: 4001, reason: "enough" });
      await until("the server sees the end", () => server.closes.length === 1);
      expect(server.closes).toEqual([{ code: 4001, reason: "enough" }]);
    });
  });

  test("when its client goes without a Close frame: the server gets none either", async () => {
    await withOne(async ({ server, client, proxy }) => {
      client.socket.terminate();
      await until("the server sees the end", () => server.closes.length === 1);
      expect(server.closes[0]?.code).toBe(1006);
      expect(proxy.log.lines).toEqual([]);
    });
  });

  test("when its server closes it: the client gets code and reason", async () => {
    await withOne(async ({ server, client }) => {
      serverSide(server).close(1012, "restarting");
      expect(await client.closed()).toEqual({ code: 1012, reason: "restarting" });
    });
  });

  test("without a code: the proxy adds none", async () => {
    await withOne(async ({ server, client }) => {
      client.socket.close();
      await client.closed();
      await until("the server sees the end", () => server.closes.length === 1);
      expect(server.closes[0]?.code).toBe(1005);
    });
  });

  test("when its server breaks off: abruptly, with a log line", async () => {
    await withOne(async ({ server, client, proxy }) => {
      serverSide(server).terminate();
      expect((await client.closed()).code).toBe(1006);
      await until("it is logged", () => proxy.log.lines.length === 1);
      expect(proxy.log.lines[0]).toMatchObject({
        level: "warn",
        container: "vllm-1",
        websockets: 1,
      });
    });
  });

  test("when its server breaks off and its container has ended: 1011 with the reason", async () => {
    await withOne(
      async ({ server, client, proxy }) => {
        serverSide(server).terminate();
        await until("the lease has ended", () => proxy.backend.inFlight === 0);
        const brief = "ran out of memory";
        proxy.backend.ending.ended({ kind: "out of memory", brief, reason: brief });
        expect(await client.closed()).toEqual({ code: 1011, reason: `the server ${brief}` });
      },
      { patience: { ...ENDLESS, runEndMs: 1_000 } },
    );
  });

  test("when its container is gone and its connection stays: 1011", async () => {
    await withOne(
      async ({ client, proxy }) => {
        proxy.table.remove(proxy.backend, "run-over");
        expect(await client.closed()).toEqual({ code: 1011, reason: "the server is gone" });
      },
      { patience: { ...ENDLESS, socketMs: 10 } },
    );
  });

  test("when the drain timeout expires: 1012 for the client, 1001 for the server", async () => {
    await withOne(async ({ server, client, proxy }) => {
      proxy.table.drain(proxy.backend);
      client.socket.send("goes on");
      await client.untilMessages(1);
      proxy.table.remove(proxy.backend, "cut");
      expect(await client.closed()).toEqual({
        code: 1012,
        reason: "being stopped or replaced: connect again",
      });
      await until("the server sees the end", () => server.closes.length === 1);
      expect(server.closes[0]?.code).toBe(1001);
      await until("it is logged", () => proxy.log.lines.length === 1);
      const reason = "the drain timeout expired";
      expect(proxy.log.lines[0]).toMatchObject({ level: "warn", websockets: 1, reason });
    });
  });

  test("when the proxy stops: after the drain timeout, with 1012", async () => {
    await withOne(async ({ server, client, proxy }) => {
      const stopped = proxy.stop(100);
      client.socket.send("goes on");
      await client.untilMessages(1);
      expect((await client.closed()).code).toBe(1012);
      expect(await stopped).toBe(1);
      await until("the server sees the end", () => server.closes.length === 1);
    });
  });

  test("when the proxy stops: only after the messages that the client sent before its Close", async () => {
    let isSlow = true;
    using server = startWebSocketServer({
      onMessage: (socket) => {
        if (!isSlow) return;
        socket.pause();
        setTimeout(() => socket.resume(), 2);
      },
    });
    using proxy = startProxyTo(server.origin);
    const client = await converse(`${proxy.origin}/v1/realtime`);
    const count = 200;
    for (let n = 0; n < count; n += 1) client.socket.send(Buffer.alloc(25_000));
    client.socket.close();
    await client.closed();
    expect(proxy.backend.inFlight).toBe(1);
    const stopped = proxy.stop(5_000);
    await until("some messages have arrived", () => server.messages.length > 10);
    isSlow = false;
    expect(await stopped).toBe(0);
    expect(proxy.backend.inFlight).toBe(0);
    await until("the server sees the end", () => server.closes.length === 1);
    expect([server.messages.length, server.closes[0]?.code]).toEqual([count, 1005]);
  });

  test("by itself while the proxy stops: nothing is cut", async () => {
    await withOne(async ({ client, proxy }) => {
      const stopped = proxy.stop(5_000);
      client.socket.close();
      expect(await stopped).toBe(0);
    });
  });

  test.each(["client", "server"] as const)(
    "when a message of the %s is too long: 1009 for the sender, logged once",
    async (from) => {
      await withOne(async ({ server, client, proxy }) => {
        const long = Buffer.alloc(17 * MIB);
        if (from === "client") client.socket.send(long);
        else serverSide(server).sendBinary(long);
        const { code } = await client.closed();
        await until("the server sees the end", () => server.closes.length === 1);
        expect([code, server.closes[0]?.code]).toEqual(
          from === "client" ? [1009, 1006] : [1011, 1009],
        );
        expect(proxy.log.lines).toMatchObject([{ level: "warn", bytes_max: 16 * MIB }]);
        const again = await converse(`${proxy.origin}/v1/realtime`);
        if (from === "client") again.socket.send(long);
        else serverSide(server).sendBinary(long);
        await again.closed();
        expect(proxy.log.lines.length).toBe(1);
      });
    },
    15_000,
  );

  test("not because of a message of 16 MiB, in either direction", async () => {
    await withOne(async ({ client }) => {
      const long = Buffer.alloc(16 * MIB, "x");
      client.socket.send(long);
      await client.untilMessages(1);
      expect(Buffer.compare(client.messages[0] as Buffer, long)).toBe(0);
      client.socket.close();
    });
  });
});
