/**
 * `bun paced.ts PORT CLIENTS`: this many clients with one paced stream each. Prints, as JSON, the
 * delay of each event since its sending. It is no HTTP client: it looks for the time in each event,
 * and counts the events.
 */
import { MODEL, PACED_EVENTS, PACED_PATH, padded } from "../answers.ts";
import { openAll, rawRequest } from "./connection.ts";
import { readStamps, type Stream } from "./stamps.ts";

const LATE_MS = 5;
/** Much longer than a run on a busy machine. */
const DEADLINE_MS = 15_000;

const [port = 0, clients = 0] = process.argv.slice(2).map(Number);
const delaysMs = new Float64Array(clients * PACED_EVENTS);
let events = 0;
let closed = 0;
const done = Promise.withResolvers<void>();

await openAll<Stream>(
  { port, count: clients, data: () => ({ rest: "" }) },
  {
    data: (socket, bytes) => {
      readStamps(socket, bytes, (delayMs) => {
        delaysMs[events] = delayMs;
        events += 1;
      });
      if (events === delaysMs.length) done.resolve();
    },
    close: () => {
      closed += 1;
      if (closed === clients) done.resolve();
    },
    error: () => undefined, // counted by the missing events
  },
  (socket) => void socket.write(rawRequest(PACED_PATH, padded({ model: MODEL }, 200))),
);
const deadline = setTimeout(done.resolve, DEADLINE_MS);
await done.promise;
clearTimeout(deadline);

const seen = delaysMs.subarray(0, events).sort();
const at = (share: number): number => (seen[Math.floor((events - 1) * share)] ?? Number.NaN) * 1000;
process.stdout.write(
  JSON.stringify({
    events,
    missing: delaysMs.length - events,
    late: seen.filter((ms) => ms > LATE_MS).length,
    p50Us: at(0.5),
    p99Us: at(0.99),
  }),
);
process.exit(0);
