/**
 * `bun connections.ts PORT`: 3,000 WebSockets, 16 at a time. Each opens, gets one message back, and closes with
 * 1000. Prints, as JSON, how many messages came back, and how long everything took.
 */
import { figures, openClients, sayGoodbye, seen, sendMessages } from "./websocket.ts";

const CONNECTIONS = 3_000;
const AT_A_TIME = 16;
/** Much longer than a run on a busy machine. */
const DEADLINE_MS = 15_000;

const port = Number(process.argv[2]);
const done = Promise.withResolvers<void>();
let toOpen = CONNECTIONS;
let toClose = CONNECTIONS;

function open(count: number): void {
  toOpen -= count;
  void openClients(port, count, {
    opened: (client) => sendMessages(client, 1),
    echoed: sayGoodbye,
    closed: (_, isClean) => {
      if (!isClean) seen.failed += 1;
      toClose -= 1;
      if (toClose === 0) done.resolve();
      if (toOpen > 0) open(1);
    },
  });
}

const startedMs = performance.now();
const deadline = setTimeout(done.resolve, DEADLINE_MS);
open(AT_A_TIME);
await done.promise;
clearTimeout(deadline);
seen.failed += toClose;
process.stdout.write(figures((performance.now() - startedMs) / 1000));
process.exit(0);
