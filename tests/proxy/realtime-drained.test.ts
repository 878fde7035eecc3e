/** WebSockets whose drain timeout expires while the server still runs, because an operator drained it. */
import { expect, test } from "bun:test";
import { NO_REPORT, NO_TELEMETRY, type Telemetry } from "../../src/telemetry/telemetry.ts";
import { type Conversation, converse } from "../support/client/websocket.ts";
import { startProxyTo } from "../support/proxy/in-process.ts";
import { startWebSocketServer } from "../support/server/websocket-server.ts";
import { until } from "../support/until.ts";

const RESTARTED = { code: 1012, reason: "being stopped or replaced: connect again" };

test("A WebSocket gets 1012, its server 1001, and its lease ends", async () => {
  using server = startWebSocketServer();
  using proxy = startProxyTo(server.origin);
  const client = await converse(`${proxy.origin}/v1/realtime`);
  proxy.table.drain(proxy.backend);
  client.socket.send("goes on");
  await client.untilMessages(1);
  expect(proxy.backend.endEndless()).toBe(1);
  expect(await client.closed()).toEqual(RESTARTED);
  await until("the server sees it", () => server.closes.length > 0);
  expect([server.closes[0]?.code, proxy.backend.inFlight]).toEqual([1001, 0]);
});

/** Keeps the reports about WebSockets in a list. */
function reportingTo(reported: string[]): Telemetry {
  const upgraded = (): (() => void) => {
    reported.push("begins");
    return () => void reported.push("ends");
  };
  const request = (): typeof NO_REPORT => ({
    ...NO_REPORT,
    call: (backend) => ({ ...NO_REPORT.call(backend), upgraded }),
  });
  return { ...NO_TELEMETRY, request };
}

test("A handshake that the server answers after the drain timeout ends in the same way, and is reported", async () => {
  const answer = Promise.withResolvers<undefined>();
  const reported: string[] = [];
  using server = startWebSocketServer({ refuses: () => answer.promise });
  using proxy = startProxyTo(server.origin, { telemetry: reportingTo(reported) });
  const opening: Promise<Conversation> = converse(`${proxy.origin}/v1/realtime`);
  await until("it is pending", () => server.requests.length > 0);
  proxy.table.drain(proxy.backend);
  expect(proxy.backend.endEndless()).toBe(0);
  answer.resolve(undefined);
  expect(await (await opening).closed()).toEqual(RESTARTED);
  await until("the server sees it", () => server.closes.length > 0);
  expect([server.closes[0]?.code, proxy.backend.inFlight]).toEqual([1001, 0]);
  expect(reported).toEqual(["begins", "ends"]);
});
