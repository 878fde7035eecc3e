/** Servers that refuse a WebSocket. */
import { describe, expect, test } from "bun:test";
import { HANDSHAKE, refusedHandshake } from "../support/client/websocket.ts";
import { startProxyTo } from "../support/proxy/in-process.ts";
import { startWebSocketServer } from "../support/server/websocket-server.ts";
import { until } from "../support/until.ts";

describe("a server's refusal", () => {
  test.each([200, 204, 301, 400, 401, 403, 404, 426, 429, 500, 503])(
    "%d is passed on unchanged",
    async (status) => {
      const body = status === 204 ? null : "why not";
      using server = startWebSocketServer({
        refuses: () =>
          new Response(body, { status, headers: { "x-own": "1", location: "/elsewhere" } }),
      });
      using proxy = startProxyTo(server.origin);
      const answer = await fetch(`${proxy.origin}/v1/realtime`, {
        headers: HANDSHAKE,
        redirect: "manual",
      });
      expect(answer.status).toBe(status);
      expect(answer.headers.get("x-own")).toBe("1");
      expect(await answer.text()).toBe(body ?? "");
      await until("the lease has ended", () => proxy.backend.inFlight === 0);
      expect(server.requests.length).toBe(1);
      expect(proxy.log.lines).toEqual([]);
    },
  );

  test.each([
    [400, 426],
    [401, 401],
    [403, 426],
    [404, 426],
    [405, 426],
    [429, 429],
    [501, 426],
    [503, 503],
  ])("of a handshake for responses turns %d into %d", async (status, expected) => {
    using server = startWebSocketServer({ refuses: () => new Response("x", { status }) });
    using proxy = startProxyTo(server.origin);
    expect((await refusedHandshake(`${proxy.origin}/v1/responses`)).status).toBe(expected);
    await until("the lease has ended", () => proxy.backend.inFlight === 0);
    expect([server.requests.length, proxy.keptOpen()]).toEqual([1, 0]);
  });

  test("of a POST for responses does not become 426, neither from its server nor from the proxy", async () => {
    using server = startWebSocketServer({ refuses: () => new Response("x", { status: 404 }) });
    using proxy = startProxyTo(server.origin);
    const post = async (model: string): Promise<number> => {
      const body = JSON.stringify({ model });
      return (await fetch(`${proxy.origin}/v1/responses`, { method: "POST", body })).status;
    };
    expect([await post("m"), await post("other")]).toEqual([404, 404]);
  });

  test("is passed on whole if it is long", async () => {
    const long = Buffer.alloc(3 * 1024 * 1024, "abc");
    using server = startWebSocketServer({ refuses: () => new Response(long, { status: 401 }) });
    using proxy = startProxyTo(server.origin);
    const answer = await refusedHandshake(`${proxy.origin}/v1/realtime`);
    expect(Buffer.from(await answer.arrayBuffer()).equals(long)).toBe(true);
  });
});
