/** The report to telemetry about the end of a WebSocket. */
import { expect, test } from "bun:test";
import {
  NO_REPORT,
  NO_TELEMETRY,
  type SocketEnd,
  type Telemetry,
} from "../../src/telemetry/telemetry.ts";
import { converse } from "../support/client/websocket.ts";
import { startProxyTo } from "../support/proxy/in-process.ts";
import { startWebSocketServer } from "../support/server/websocket-server.ts";
import { until } from "../support/until.ts";

type Reported = {
  readonly closeCode: number;
  readonly how: "ended" | "client left" | "failed";
  readonly abortReason: string | undefined;
  /** Messages and bytes, of the client and of the server. */
  readonly passed: readonly number[];
};

function reportedOf(end: SocketEnd, abortReason: string | undefined): Reported {
  const { closeCode, error, cancelled, fromClient, fromServer } = end;
  const failed = error === undefined ? "ended" : "failed";
  return {
    closeCode,
    how: cancelled === true ? "client left" : failed,
    abortReason,
    passed: [fromClient.messages, fromClient.bytes, fromServer.messages, fromServer.bytes],
  };
}

function reportingTo(reported: Reported[]): Telemetry {
  const upgraded =
    () =>
    (end: SocketEnd, abortReason: string | undefined): void =>
      void reported.push(reportedOf(end, abortReason));
  const request = (): typeof NO_REPORT => ({
    ...NO_REPORT,
    call: (backend) => ({ ...NO_REPORT.call(backend), upgraded }),
  });
  return { ...NO_TELEMETRY, request };
}

type Ends = {
  readonly client: WebSocket;
  readonly server: Bun.ServerWebSocket<unknown>;
  readonly drainIsOver: () => void;
};

const LONG = Buffer.alloc(17 * 1024 * 1024);

type Row = [what: string, end: (ends: Ends) => void, closeCode: number, how: Reported["how"]];

test.each<Row>([
  ["the client closes", ({ client }) => client.close(4001), 4001, "ended"],
  ["the client closes without a code", ({ client }) => client.close(), 1005, "ended"],
  ["the client leaves", ({ client }) => client.terminate(), 1006, "client left"],
  ["the server closes", ({ server }) => server.close(4002), 4002, "ended"],
  ["the server leaves", ({ server }) => server.terminate(), 1006, "failed"],
  ["the client's message is too long", ({ client }) => client.send(LONG), 1009, "ended"],
  ["the server's message is too long", ({ server }) => void server.send(LONG), 1009, "failed"],
  ["the drain timeout expires", ({ drainIsOver }) => drainIsOver(), 1012, "failed"],
])(
  "when %s: one report, with messages, bytes and close code",
  async (_what, end, closeCode, how) => {
    const reported: Reported[] = [];
    using server = startWebSocketServer({ hello: "€" });
    using proxy = startProxyTo(server.origin, { telemetry: reportingTo(reported) });
    const { socket: client, untilMessages } = await converse(`${proxy.origin}/v1/realtime`);
    client.send("é");
    client.send(Buffer.alloc(5));
    await untilMessages(3);
    const [serverEnd] = server.open;
    const drainIsOver = (): void => proxy.table.remove(proxy.backend, "cut");
    if (serverEnd !== undefined) end({ client, server: serverEnd, drainIsOver });
    await until("it is reported", () => reported.length > 0);
    await until("both ends have ended", () => server.open.size === 0 && client.readyState === 3);
    const abortReason = closeCode === 1012 ? "cut" : undefined;
    expect(reported).toEqual([{ closeCode, how, abortReason, passed: [2, 7, 3, 10] }]);
  },
);
