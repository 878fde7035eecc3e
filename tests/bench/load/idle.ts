/**
 * `bun idle.ts PORT CLIENTS`: opens this many streams, prints a line when each has had its
 * first event, and holds them until stdin ends. Then it prints, as JSON, how many were closed.
 */
import { IDLE_PATH, MODEL, padded } from "../answers.ts";
import { openAll, rawRequest } from "./connection.ts";

const DEADLINE_MS = 20_000;

const [port = 0, clients = 0] = process.argv.slice(2).map(Number);
const begun = Promise.withResolvers<void>();
let open = 0;
let closed = 0;

type Client = { text: string };

await openAll<Client>(
  { port, count: clients, data: () => ({ text: "" }) },
  {
    data: (socket, bytes) => {
      const { data } = socket;
      if (data.text.includes("data: ")) return;
      data.text += bytes.toString("latin1");
      if (!data.text.includes("data: ")) return;
      open += 1;
      if (open === clients) begun.resolve();
    },
    close: () => {
      closed += 1;
    },
    error: () => undefined, // counted by `close`
  },
  (socket) => void socket.write(rawRequest(IDLE_PATH, padded({ model: MODEL }, 200))),
);
const deadline = setTimeout(begun.resolve, DEADLINE_MS);
await begun.promise;
clearTimeout(deadline);
process.stdout.write(`${JSON.stringify({ open })}\n`);
await Bun.stdin.text();
process.stdout.write(`${JSON.stringify({ closed })}\n`);
process.exit(0);
