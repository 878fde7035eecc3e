/** The compiled binary with a collector, in front of a server with WebSockets, and clients of that server. */
import { expect } from "bun:test";
import type { ServerWebSocket } from "bun";
import { untilModels } from "../client/requests.ts";
import { type ReceivedSpan, startOtlpReceiver } from "../collector/receiver.ts";
import { envOf, FakeEngine } from "../engine/fake.ts";
import { until } from "../until.ts";
import { startCompiled } from "./compiled.ts";

export const SAID = "what the client says";
export const HEARD = "what the server says, which is more";
export const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
export const PARENT_ID = "b7ad6b7169203331";

/**
 * Answers each message with one message. Refuses handshakes with a wrong key, and never answers those with
 * `slow`.
 */
function startServer() {
  const traceparents: (string | null)[] = [];
  const pending: Request[] = [];
  const open = new Set<ServerWebSocket>();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, self) => {
      if (request.url.endsWith("/models")) return Response.json({ data: [{ id: "m" }] });
      const key = request.headers.get("authorization");
      if (key === "Bearer slow") {
        pending.push(request);
        return new Promise<Response>(() => undefined);
      }
      if (key !== "Bearer key") {
        return Response.json({ error: { message: "wrong key" } }, { status: 403 });
      }
      traceparents.push(request.headers.get("traceparent"));
      return self.upgrade(request) ? undefined : new Response("no", { status: 500 });
    },
    websocket: {
      open: (socket) => void open.add(socket),
      message: (socket) => void socket.send(HEARD),
      close: (socket) => void open.delete(socket),
    },
  });
  return {
    ...{ traceparents, pending, open },
    port: server.port ?? 0,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

export async function startRun(env: Readonly<Record<string, string>> = {}) {
  const receiver = startOtlpReceiver();
  const server = startServer();
  const engine = await new FakeEngine().start();
  const container = engine.add({ name: "server-1", port: server.port });
  const telemetry = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.origin, PROXY_METRICS: "true" };
  const proxy = await startCompiled({ env: { ...envOf(engine), ...telemetry, ...env } });
  await untilModels(proxy.origin, ["m"]);
  const metrics = async (): Promise<string> => (await fetch(`${proxy.origin}/metrics`)).text();
  const open = async (): Promise<Client> => {
    const client = connect(proxy.origin);
    await until("the WebSocket is open", () => client.socket.readyState === WebSocket.OPEN);
    return client;
  };
  return {
    ...{ server, engine, container, proxy, metrics, open },
    /** Ends the proxy, and returns its spans. */
    spans: async (): Promise<Spans> => {
      proxy.kill("SIGTERM");
      expect(await proxy.exited).toBe(0);
      const of = (kind: string): readonly ReceivedSpan[] =>
        receiver.spans.filter((span) => span.kind === kind);
      return { servers: of("SERVER"), clients: of("CLIENT"), text: JSON.stringify(receiver.spans) };
    },
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      for (const part of [engine, server, receiver]) part[Symbol.dispose]();
    },
  };
}

type Spans = {
  readonly servers: readonly ReceivedSpan[];
  readonly clients: readonly ReceivedSpan[];
  readonly text: string;
};

type Client = {
  readonly socket: WebSocket;
  readonly heard: string[];
  readonly closed: Promise<number>;
};

export function connect(origin: string, key = "key"): Client {
  const socket = new WebSocket(`${origin.replace("http", "ws")}/v1/realtime?model=m`, {
    headers: {
      authorization: `Bearer ${key}`,
      traceparent: `00-${TRACE_ID}-${PARENT_ID}-01`,
    },
  });
  const heard: string[] = [];
  socket.addEventListener("message", ({ data }) => heard.push(String(data)));
  const closed = new Promise<number>((resolve) =>
    socket.addEventListener("close", ({ code }) => resolve(code)),
  );
  return { socket, heard, closed };
}
