/**
 * `bun messages.ts PORT IN_FLIGHT`: 50 WebSockets whose text messages of 300 B come back, for 3 s. Each
 * WebSocket always has IN_FLIGHT messages in flight: each echo triggers the next message. With 0, each
 * WebSocket sends a message every 20 ms, at its own phase: 2,500 round trips a second.
 *
 * Prints, as JSON, how many messages came back, and how long that took.
 */
import { figures, openClients, seen, sendMessages, type WebSocketClient } from "./websocket.ts";

const CLIENTS = 50;
const PERIOD_MS = 20;
const RUN_MS = 3_000;
/** Much longer than a run on a busy machine. */
const DEADLINE_MS = 15_000;

const [port = 0, inFlight = 0] = process.argv.slice(2).map(Number);
const isPaced = inFlight === 0;
const clients: WebSocketClient[] = [];
const ready = Promise.withResolvers<void>();
const done = Promise.withResolvers<void>();
let isEnding = false;

const finish = (): void => {
  if (isEnding && seen.delaysMs.length === seen.sent) done.resolve();
};
const deadline = setTimeout(() => {
  ready.resolve();
  done.resolve();
}, DEADLINE_MS);

await openClients(port, CLIENTS, {
  opened: (client) => {
    clients.push(client);
    if (clients.length === CLIENTS) ready.resolve();
  },
  echoed: (client, count) => {
    if (!(isPaced || isEnding)) sendMessages(client, count);
    finish();
  },
  closed: () => {
    seen.failed += 1;
    ready.resolve();
    done.resolve();
  },
});
await ready.promise;
const startedMs = performance.now();
const timer = isPaced ? turnWheel(startedMs) : undefined;
if (!isPaced) for (const client of clients) sendMessages(client, inFlight);
await Bun.sleep(RUN_MS);
clearInterval(timer);
isEnding = true;
finish();
await done.promise;
clearTimeout(deadline);
process.stdout.write(figures((performance.now() - startedMs) / 1000));
process.exit(0);

/**
 * A wheel with one slot a millisecond.
 * It turns as far as the time has passed, so a late timer loses no message.
 */
function turnWheel(beganMs: number): Timer {
  let turned = 0;
  return setInterval(() => {
    const due = Math.floor(performance.now() - beganMs);
    for (; turned < due; turned += 1) {
      for (let n = turned % PERIOD_MS; n < clients.length; n += PERIOD_MS) {
        const client = clients[n];
        if (client !== undefined) sendMessages(client, 1);
      }
    }
  }, 1);
}
