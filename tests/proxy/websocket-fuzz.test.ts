/** Random WebSockets through the proxy: both ends close, the lease ends, and no message is changed or swapped. */
import { expect, test } from "bun:test";
import { seededRandom } from "../support/client/random-json.ts";
import { ENDLESS, startProxyTo } from "../support/proxy/in-process.ts";
import { until, within } from "../support/until.ts";
import { masked, unmasked } from "../support/websocket/frames.ts";
import { type RandomScript, randomScript } from "../support/websocket/random-script.ts";
import { rawWebSocketClient, rawWebSocketServer } from "../support/websocket/raw-peer.ts";
import type { Transcript } from "../support/websocket/transcript.ts";

const EXCHANGES = 100;
/** Any number. FUZZ_SEED in the environment repeats a failed run. */
const SEED = Number(process.env["FUZZ_SEED"] ?? 20_261_127);

function messagesIn({ lines }: Transcript): readonly string[] {
  return lines.filter((line) => line.startsWith("text") || line.startsWith("binary"));
}

/** The end that stays gets all messages that the other end sent before it closed in order. */
function seesAll(watching: RandomScript, sending: RandomScript): boolean {
  return watching.ending === "stays" && sending.ending === "close";
}

test(`${EXCHANGES} random WebSockets (FUZZ_SEED=${SEED})`, async () => {
  const random = seededRandom(SEED);
  for (let nth = 0; nth < EXCHANGES; nth += 1) {
    const fromClient = randomScript(random, masked);
    let fromServer = randomScript(random, unmasked);
    while (fromClient.ending === "stays" && fromServer.ending === "stays") {
      fromServer = randomScript(random, unmasked);
    }
    using server = await rawWebSocketServer(fromServer.steps);
    using proxy = startProxyTo(server.origin, { patience: ENDLESS });
    using client = rawWebSocketClient(proxy.origin, fromClient.steps);
    const what = `exchange ${nth}: the client ${fromClient.ending}, the server ${fromServer.ending}`;
    const ends = Promise.all([client.transcript.ended(), server.transcript.ended()]);
    await within(`the ends of ${what}`, ends, 10_000);
    await until(`the lease of ${what} ends`, () => proxy.backend.inFlight === 0);
    const atClient = messagesIn(client.transcript);
    const atServer = messagesIn(server.transcript);
    const allAtClient = seesAll(fromClient, fromServer);
    const allAtServer = seesAll(fromServer, fromClient);
    expect([what, ...atClient]).toEqual([
      what,
      ...fromServer.messages.slice(0, allAtClient ? undefined : atClient.length),
    ]);
    expect([what, ...atServer]).toEqual([
      what,
      ...fromClient.messages.slice(0, allAtServer ? undefined : atServer.length),
    ]);
  }
}, 60_000);
