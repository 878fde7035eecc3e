/**
 * A program in which one client of the `openai` package has its turns over a WebSocket. It writes one line to
 * standard output for each event that the client sees. sdk-conversation.ts runs it under Node or Bun.
 */
import { OpenAI } from "openai";
import { OpenAIRealtimeWebSocket } from "openai/realtime/websocket";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { ResponsesWS } from "openai/resources/responses/ws";
import type { Task } from "./sdk-conversation.ts";

type ResponsesOptions = NonNullable<ConstructorParameters<typeof ResponsesWS>[1]>;

const task = JSON.parse(process.argv[2] ?? "") as Task;
const client = new OpenAI({ baseURL: task.baseUrl, apiKey: task.key });
let turnsLeft = task.turns;
let text = "";

if (task.client === "responses/ws") talkResponses();
else talkRealtime(task.client);

function talkRealtime(kind: "realtime/ws" | "realtime/websocket"): void {
  const { model, reconnect } = task;
  const props = { model, ...(reconnect && { reconnect, reconnectInitialDelay: 10 }) };
  const realtime =
    kind === "realtime/ws"
      ? new OpenAIRealtimeWS(props, client)
      : new OpenAIRealtimeWebSocket(props, client);
  const turn = (): void => {
    realtime.send({
      type: "conversation.item.create",
      item: { type: "message", role: "user", content: [{ type: "input_text", text: "hello" }] },
    });
    realtime.send({ type: "response.create" });
  };
  realtime.once("session.created", ({ session }) => {
    say(`session ${"model" in session ? session.model : ""}`);
    turn();
  });
  realtime.on("response.output_text.delta", ({ delta }) => addText(delta));
  realtime.on("response.done", () => endTurn(() => realtime.close()));
  realtime.on("reconnecting", ({ closeCode }) => say(`reconnecting after ${closeCode}`));
  realtime.on("reconnected", turn); // at session.created is too early: the client drops messages
  realtime.on("error", ({ message }) => say(`error: ${message}`));
  if (reconnect) realtime.on("close", sayClosed);
  else sayWhenClosed(realtime.socket);
}

/** @param socket npm's `ws` or a browser-style WebSocket. The types of `ws` come from src/proxy/ws.d.ts here */
function sayWhenClosed(socket: unknown): void {
  (socket as WebSocket).addEventListener("close", ({ code, reason }) => sayClosed(code, reason));
}

function talkResponses(): void {
  const { model, reconnect } = task;
  const onReconnecting = (): void => undefined;
  const options = reconnect && { reconnect: { onReconnecting, initialDelay: 10 } };
  // The type also demands all options of npm's `ws`, which has no types here.
  const responses = new ResponsesWS(client, (options || {}) as ResponsesOptions);
  const turn = (): void => responses.send({ type: "response.create", model, input: "hello" });
  responses.on("response.output_text.delta", ({ delta }) => addText(delta));
  responses.on("response.completed", () => endTurn(() => responses.close()));
  responses.on("reconnecting", ({ closeCode }) => say(`reconnecting after ${closeCode}`));
  responses.on("reconnected", turn);
  responses.on("error", ({ message }) => say(`error: ${message}`));
  responses.on("close", sayClosed);
  turn();
}

function addText(delta: string): void {
  text += delta;
}

function endTurn(close: () => void): void {
  say(`answer: ${text}`);
  text = "";
  turnsLeft -= 1;
  if (turnsLeft === 0) close();
}

function sayClosed(code: number, reason: string): void {
  say(`closed ${code} ${reason}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
