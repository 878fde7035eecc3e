import { describe, expect, test } from "bun:test";
import { rawConnect, rawServer } from "../support/client/raw-http.ts";
import { converse, refusedHandshake } from "../support/client/websocket.ts";
import { startProxy, startProxyTo } from "../support/proxy/in-process.ts";
import { expectNothingLeft, startReplicas } from "../support/proxy/replicas.ts";
import { narrow, startPatientProxy } from "../support/proxy/waiting.ts";
import { makeBackend } from "../support/server/backends.ts";
import { startWebSocketServer } from "../support/server/websocket-server.ts";
import { until } from "../support/until.ts";
import { handshakeRequest } from "../support/websocket/handshake.ts";

type ErrorBody = { readonly error: { readonly code: string; readonly message: string } };

async function refusalOf(url: string): Promise<[status: number, code: string]> {
  const answer = await refusedHandshake(url);
  return [answer.status, ((await answer.json()) as ErrorBody).error.code];
}

describe("a WebSocket goes to", () => {
  test.each([
    ["the server of its ?model=", "/v1/realtime?model=b", 1],
    ["the same server, by an alias", "/v1/realtime?model=b-alias", 1],
    ["the same server, for responses", "/v1/responses?model=b", 1],
  ])("%s", async (_what, path, index) => {
    using one = startWebSocketServer();
    using other = startWebSocketServer();
    using proxy = startProxy({
      backends: [
        makeBackend({ origin: one.origin, models: [{ id: "a" }] }),
        makeBackend({ origin: other.origin, models: [{ id: "b", aliases: ["b-alias"] }] }),
      ],
    });
    const { socket, untilMessages, messages } = await converse(`${proxy.origin}${path}`);
    socket.send("x");
    await untilMessages(1);
    expect(messages).toEqual(["x"]);
    expect([one, other].map(({ requests }) => requests.length)).toEqual(
      [0, 1].map((at) => Number(at === index)),
    );
    socket.close();
  });

  test.each(["/v1/realtime", "/v1/responses", "/v1/audio/speech/stream?x=%2f"])(
    "the only server: %s",
    async (path) => {
      using server = startWebSocketServer({ hello: "hi" });
      using proxy = startProxyTo(server.origin);
      const { socket, untilMessages } = await converse(`${proxy.origin}${path}`);
      await untilMessages(1);
      expect(server.requests[0]?.url).toEndWith(path);
      socket.close();
    },
  );

  test.each<[path: string, expected: [number, string]]>([
    ["/v1/realtime", [400, "model_required"]],
    ["/v1/realtime?model=x", [404, "model_not_found"]],
    ["/v1/responses", [426, "upgrade_required"]],
    ["/v1/responses?model=x", [426, "upgrade_required"]],
    ["/v1/responses/resp_x", [404, "response_not_found"]],
    ["/realtime", [404, "not_found"]],
  ])("no server, if there are two: %s", async (path, expected) => {
    using server = startWebSocketServer();
    using proxy = startProxy({
      backends: ["a", "b"].map((id) => makeBackend({ origin: server.origin, models: [{ id }] })),
    });
    expect(await refusalOf(`${proxy.origin}${path}`)).toEqual(expected);
    expect(server.requests).toEqual([]);
  });

  test.each<[path: string, expected: [number, string]]>([
    ["/v1/realtime", [503, "backend_unavailable"]],
    ["/v1/responses", [426, "upgrade_required"]],
  ])("no server, if there is none: %s", async (path, expected) => {
    using proxy = startProxy();
    expect(await refusalOf(`${proxy.origin}${path}`)).toEqual(expected);
  });

  test("no server yet, if a handshake for responses names a model that is not there: the client tries again", async () => {
    using proxy = startProxy({ isReady: () => false });
    const url = `${proxy.origin}/v1/responses?model=m`;
    expect(await refusalOf(url)).toEqual([503, "starting"]);
  });

  test("no server without a model: the refusal says how to name one", async () => {
    using proxy = startProxy({
      backends: ["a", "b"].map((id) => makeBackend({ models: [{ id }] })),
    });
    const answer = await refusedHandshake(`${proxy.origin}/v1/realtime`);
    expect(((await answer.json()) as ErrorBody).error.message).toContain("?model=");
  });

  test.each(["xwebsocket", "websocket/13", "a websocket", "h2c;websocket"])(
    "no server for `Upgrade: %s`",
    async (upgrade) => {
      using server = startWebSocketServer();
      using proxy = startProxyTo(server.origin);
      using client = await rawConnect(proxy.port);
      client.send(handshakeRequest({ headers: [`Upgrade: ${upgrade}`] }));
      await client.waitFor("upgrade_required");
      expect(server.requests).toEqual([]);
      expect(proxy.log.lines).toEqual([]);
    },
  );

  test("no path that the proxy answers itself", async () => {
    using proxy = startProxyTo("http://127.0.0.1:9");
    for (const path of ["/v1/models", "/v1/models/m", "/healthz"]) {
      expect((await refusedHandshake(`${proxy.origin}${path}`)).status).toBe(200);
    }
  });
});

describe("before the 101", () => {
  test("another replica gets a handshake that the first one declines or cannot take", async () => {
    using busy = startWebSocketServer({ refuses: () => new Response("later", { status: 503 }) });
    using server = startWebSocketServer({ hello: "hi" });
    using proxy = startReplicas(["http://127.0.0.1:9", busy.origin, server.origin]);
    const { socket, untilMessages, closed } = await converse(`${proxy.origin}/v1/realtime?model=m`);
    await untilMessages(1);
    expect(busy.requests.length).toBe(1);
    socket.close();
    await closed();
    await expectNothingLeft(proxy);
  });

  test("another replica gets a handshake if the first one goes away without an answer", async () => {
    using dying = await rawServer();
    using server = startWebSocketServer();
    using proxy = startReplicas([dying.origin, server.origin]);
    const opening = converse(`${proxy.origin}/v1/realtime?model=m`);
    (await dying.request()).reset();
    const { socket, closed } = await opening;
    socket.close();
    await closed();
    await expectNothingLeft(proxy);
    expect([dying.connections.length, server.requests.length]).toEqual([1, 1]);
  });

  test("replicas share WebSockets by load", async () => {
    using one = startWebSocketServer();
    using other = startWebSocketServer();
    using proxy = startReplicas([one.origin, other.origin]);
    const all = await Promise.all(
      Array.from({ length: 6 }, () => converse(`${proxy.origin}/v1/realtime`)),
    );
    expect([one.open.size, other.open.size]).toEqual([3, 3]);
    for (const { socket } of all) socket.close();
    await expectNothingLeft(proxy);
  });

  test("a missing server causes a 502", async () => {
    using proxy = startProxyTo("http://127.0.0.1:9");
    expect(await refusalOf(`${proxy.origin}/v1/realtime`)).toEqual([502, "backend_unreachable"]);
    expect(proxy.backend.inFlight).toBe(0);
  });

  test("a client that leaves ends the handshake", async () => {
    const asked = Promise.withResolvers<Request>();
    using server = startWebSocketServer({
      refuses: (request) => {
        asked.resolve(request);
        return new Promise(() => undefined);
      },
    });
    using proxy = startProxyTo(server.origin);
    const client = await rawConnect(proxy.port);
    client.send(handshakeRequest());
    const { signal } = await asked.promise;
    expect(proxy.backend.inFlight).toBe(1);
    client[Symbol.dispose]();
    await until("the handshake has ended", () => signal.aborted && proxy.backend.inFlight === 0);
    expect(proxy.keptOpen()).toBe(0);
  });

  test("a handshake waits for its model, and an open WebSocket does not count as waiting", async () => {
    using server = startWebSocketServer();
    using proxy = startPatientProxy([narrow(server.origin)]);
    const url = `${proxy.origin}/v1/realtime?model=m`;
    const first = await converse(url);
    const second = converse(url);
    await proxy.untilWaiting(1);
    first.socket.close();
    const { socket } = await second;
    await proxy.untilWaiting(0);
    expect(server.requests.length).toBe(2);
    socket.close();
  });

  test("a handshake for responses that waited in vain gets an answer that says so", async () => {
    using server = startWebSocketServer();
    using proxy = startPatientProxy([narrow(server.origin)], { timeoutMs: 20 });
    const url = `${proxy.origin}/v1/responses?model=m`;
    const { socket } = await converse(url);
    expect(await refusalOf(url)).toEqual([429, "backend_saturated"]);
    socket.close();
  });
});
