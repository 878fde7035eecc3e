/** Sends requests of every kind that the metrics distinguish, until it is disposed of. */
import { chat, streamedChat } from "../client/requests.ts";
import { MODEL, type ObservedStage } from "./stage.ts";

/** More than the servers take at once. */
const STREAMS = 8;
/** After this many rounds a server stops, which changes the routing table. */
const ROUNDS_PER_STOP = 4;

/** Use it with `await using`. It ends when its open requests have ended. */
export function startLoad(stage: ObservedStage): AsyncDisposable {
  let isOn = true;
  const { origin } = stage.proxy;
  const socket = new WebSocket(
    `${origin.replace("http", "ws")}/v1/realtime?model=${encodeURIComponent(MODEL)}`,
  );
  const running = (async () => {
    for (let round = 0; isOn; round += 1) {
      if (round % ROUNDS_PER_STOP === 1) stage.stopContainer("sglang");
      if (round % ROUNDS_PER_STOP === 2) stage.startContainer("sglang");
      await oneOfEach(stage);
    }
    stage.startContainer("sglang");
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      isOn = false;
      await running;
      socket.close();
    },
  };
}

async function oneOfEach({ proxy: { origin }, refuse }: ObservedStage): Promise<void> {
  const whole = chat(origin, MODEL).then((answer) => answer.bytes());
  const unknown = chat(origin, "made-up").then((answer) => answer.bytes());
  const streams = Array.from({ length: STREAMS }, () =>
    streamedChat(origin, MODEL, { stream_options: { include_usage: true } }),
  );
  for (const stream of await Promise.all(streams)) await stream.end;
  await Promise.all([whole, unknown]);
  await refuse("vllm", 500);
  const failing = Array.from({ length: STREAMS }, () => chat(origin, MODEL));
  for (const answer of await Promise.all(failing)) await answer.bytes();
  await refuse("vllm", 200);
}
