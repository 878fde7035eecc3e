/** Requests of every kind that the metrics tell apart, for as long as somebody lets them go on. */
import { chat, streamedChat } from "../client/requests.ts";
import { MODEL, type ObservedStage } from "./stage.ts";

/** More than the servers take at once. */
const STREAMS = 8;
/** A stop of a server in every so many rounds is what changes the routing table. */
const ROUNDS_PER_STOP = 4;

/** Ends at the end of the block that holds it, when the requests under way have ended. */
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
