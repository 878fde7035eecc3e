import { afterEach, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { freePort } from "../proxy/compiled.ts";
import { until, within } from "../until.ts";
import { createService } from "./inference-server/handler.ts";
import type { SocketEntry } from "./inference-server/journal.ts";
import type { SocketEvent } from "./inference-server/sessions.ts";
import { readSettings } from "./inference-server/settings.ts";

type Environment = Readonly<Record<string, string>>;
type End = { readonly code: number; readonly reason: string };
type Conversation = {
  readonly socket: WebSocket;
  readonly events: SocketEvent[];
  readonly end: Promise<End>;
};

const BOTH = {
  REALTIME_UPGRADE: "take",
  RESPONSES_UPGRADE: "take",
  TOKEN_DELAY_MS: "1",
  NAME: "n",
};

let stack = new DisposableStack();
let origin = "";

function start(env: Environment): void {
  const server = Bun.serve({ port: 0, ...createService(readSettings(env)) });
  stack.defer(() => void server.stop(true));
  origin = `127.0.0.1:${server.port}`;
}

function connect(path: string, headers: Environment = {}): Conversation {
  const socket = new WebSocket(`ws://${origin}${path}`, { headers });
  stack.defer(() => socket.terminate());
  const events: SocketEvent[] = [];
  socket.onmessage = ({ data }) => events.push(JSON.parse(String(data)) as SocketEvent);
  const end = new Promise<End>((resolve) => {
    socket.onclose = ({ code, reason }) => resolve({ code, reason });
  });
  return { socket, events, end };
}

async function opened(path: string, headers: Environment = {}): Promise<Conversation> {
  const conversation = connect(path, headers);
  await until("the WebSocket is open", () => conversation.socket.readyState === WebSocket.OPEN);
  return conversation;
}

/** Sends the event, and waits for the last event of the answer. */
async function say({ socket, events }: Conversation, event: object, last: string): Promise<void> {
  const before = events.length;
  socket.send(JSON.stringify(event));
  await until(last, () => events.slice(before).some(({ type }) => type === last));
}

async function journal(): Promise<readonly SocketEntry[]> {
  return (await (await fetch(`http://${origin}/admin/requests`)).json()) as SocketEntry[];
}

async function handshake(path: string, more: Environment = {}): Promise<Response> {
  const headers = {
    ...{ connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" },
    ...{ "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", ...more },
  };
  return await fetch(`http://${origin}${path}`, { headers });
}

afterEach(() => {
  stack.dispose();
  stack = new DisposableStack();
});

test("a Realtime session: greeting, update, item, an answer in tokens, an unknown event", async () => {
  start({ ...BOTH, MODELS: "a,b" });
  const talk = await opened("/v1/realtime?model=b", { authorization: "Bearer sk" });
  await until("the greeting", () => talk.events.length === 1);
  expect(talk.events[0]).toMatchObject({ type: "session.created", session: { model: "b" } });
  await say(talk, { type: "session.update", session: { instructions: "x" } }, "session.updated");
  expect(talk.events[1]).toMatchObject({ session: { model: "b", instructions: "x" } });
  await say(talk, { type: "conversation.item.create", item: {} }, "conversation.item.done");
  await say(talk, { type: "response.create", response: { tokens: 3 } }, "response.done");
  const deltas = talk.events.filter(({ type }) => type === "response.output_text.delta");
  expect(deltas.map((event) => event["delta"])).toEqual(["n", " 1", " 2"]);
  await say(talk, { type: "nobody.knows", event_id: "e" }, "error");
  expect(talk.events.at(-1)).toMatchObject({
    error: { event_id: "e", event: { type: "nobody.knows", event_id: "e" } },
  });
  talk.socket.close(4001, "enough");
  await talk.end;
  await until("the end of the WebSocket", async () => (await journal())[0]?.done === true);
  expect(await journal()).toMatchObject([
    {
      path: "/v1/realtime?model=b",
      model: "b",
      socket: {
        headers: { authorization: "Bearer sk", upgrade: "websocket" },
        status: 101,
        received: [
          ...["session.update", "conversation.item.create", "response.create", "nobody.knows"],
        ],
        end: { code: 4001, reason: "enough", by: "client" },
      },
    },
  ]);
});

test("Responses over a WebSocket: the events of the stream over HTTP, one answer after the other", async () => {
  start({ ...BOTH, MODELS: "a" });
  const talk = await opened("/v1/responses");
  const turn = { type: "response.create", model: "a", input: "hello" };
  talk.socket.send(JSON.stringify(turn));
  await say(talk, { ...turn, model: "unknown" }, "error");
  const over = await fetch(`http://${origin}/v1/responses`, {
    method: "POST",
    body: JSON.stringify({ ...turn, stream: true }),
  });
  const streamed = [...(await over.text()).matchAll(/^event: (.*)$/gm)].map(([, type]) => type);
  expect(talk.events.map(({ type }) => type)).toEqual([...streamed, "error"] as string[]);
  expect(talk.events.at(-1)).toMatchObject({
    status: 404,
    error: { message: "The model `unknown` does not exist." },
  });
});

test.each<[what: string, env: Environment, path: string, status: number]>([
  ["unless it is turned on", {}, "/v1/realtime", 404],
  ["with the status of its setting", { RESPONSES_UPGRADE: "403" }, "/v1/responses", 403],
  ["for a model that the server does not have", BOTH, "/v1/realtime?model=unknown", 404],
  ["for another path", BOTH, "/v1/other", 404],
])("a handshake is refused %s", async (_what, env, path, status) => {
  start(env);
  expect((await handshake(path)).status).toBe(status);
  expect(await journal()).toMatchObject([{ path, done: true }]);
});

test("a handshake is refused like a POST, and waits at the gate like one", async () => {
  start(BOTH);
  await fetch(`http://${origin}/admin/refuse?status=429&retry_after=1`);
  const refused = await handshake("/v1/realtime");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
  await fetch(`http://${origin}/admin/refuse`);
  await fetch(`http://${origin}/admin/gate?state=shut`);
  const { socket } = connect("/v1/realtime");
  await until("the handshake", async () => (await journal()).length === 2);
  expect((await journal())[1]).toMatchObject({ socket: { status: null }, done: false });
  await fetch(`http://${origin}/admin/gate?state=open`);
  await until("the WebSocket is open", () => socket.readyState === WebSocket.OPEN);
});

test.each([
  ["", null],
  ["realtime", "realtime"],
])("the server chooses the subprotocol by the setting %p", async (SUBPROTOCOL, chosen) => {
  start({ ...BOTH, SUBPROTOCOL });
  const keys = "realtime, openai-insecure-api-key.sk-test";
  const taken = await handshake("/v1/realtime", { "sec-websocket-protocol": keys });
  expect(taken.headers.get("sec-websocket-protocol")).toBe(chosen);
  expect(await journal()).toMatchObject([
    { socket: { headers: { "sec-websocket-protocol": keys } } },
  ]);
});

test.each([
  [1011, "Out of memory", true],
  [1006, "", false],
])("the test ends a WebSocket with code %d", async (code, reason, done) => {
  start(BOTH);
  const { end } = await opened("/v1/realtime");
  const closed = await fetch(`http://${origin}/admin/close?code=${code}&reason=${reason}`);
  expect(await closed.json()).toEqual({ closed: 1 });
  expect((await end).code).toBe(code);
  await until("the end of the WebSocket", async () => (await journal())[0]?.socket.end !== null);
  const socket = { end: { code, reason, by: "server" } };
  expect(await journal()).toMatchObject([{ done, aborted: !done, socket }]);
});

test.each([
  ["exit", 1012],
  ["drain", 1012],
  ["abrupt", 1006],
])("SIGTERM in the mode %s ends WebSockets with code %d", async (TERM_MODE, code) => {
  const port = freePort();
  const program = fileURLToPath(import.meta.resolve("./inference-server/server.ts"));
  await using child = Bun.spawn([process.execPath, program], {
    env: { ...BOTH, TERM_MODE, PORT: String(port) },
    stdio: ["ignore", "ignore", "inherit"],
  });
  origin = `127.0.0.1:${port}`;
  await until("the server listens", () =>
    fetch(`http://${origin}/health`).then(
      () => true,
      () => false,
    ),
  );
  const { end } = await opened("/v1/realtime");
  child.kill("SIGTERM");
  expect((await within("the end of the WebSocket", end)).code).toBe(code);
  expect(await within("the exit of the server", child.exited)).toBe(0);
});
