/**
 * Sends much through one WebSocket to a reader that stalls. Measures the cost for the compiled binary, and
 * checks all bytes.
 */
import { createHash, randomBytes } from "node:crypto";
import { peakMib, resetPeak } from "../../bench/processes.ts";
import { until } from "../until.ts";
import { startCompiledWires } from "./compiled-wires.ts";
import { openWire, type WireSocket } from "./wire.ts";
import { BINARY, frame } from "./wire-frames.ts";

/**
 * A flow counts as stalled when nothing has moved for this time in ms, and for this many checks: a turn may
 * take long.
 */
const STILL_MS = 500;
const STILL_LOOKS = 20;
/** How many different payloads take turns, so that the hash shows lost, doubled or swapped payloads. */
const PAYLOADS = 8;

type Flow = {
  /** Bytes that the socket has taken so far. */
  readonly sent: () => number;
  /** Resolves when all is sent, with the SHA-1 of all payloads. */
  readonly done: Promise<string>;
};

function startFlow(
  from: WireSocket,
  { bytes, messageBytes }: { readonly bytes: number; readonly messageBytes: number },
): Flow {
  const payloads = Array.from({ length: PAYLOADS }, () => randomBytes(messageBytes));
  const frames = payloads.map((payload) => frame(BINARY, payload, from.isClient));
  const sum = createHash("sha1");
  let sent = 0;
  const send = async (): Promise<string> => {
    for (let n = 0; sent < bytes; n += 1) {
      sum.update(payloads[n % PAYLOADS]!);
      const isTaken = from.sendRaw(frames[n % PAYLOADS]!);
      sent += messageBytes;
      if (!isTaken) await from.drained();
    }
    return sum.digest("hex");
  };
  return { sent: () => sent, done: send() };
}

/** Waits until a count has not changed for half a second. */
export async function untilStill(what: string, count: () => number): Promise<void> {
  let last = { count: -1, sinceMs: 0, looks: 0 };
  await until(
    what,
    () => {
      const now = count();
      if (now !== last.count) last = { count: now, sinceMs: performance.now(), looks: 0 };
      last.looks += 1;
      return last.looks > STILL_LOOKS && performance.now() - last.sinceMs > STILL_MS;
    },
    30_000,
  );
}

export type Stalled = {
  /** How much was sent but not yet read when the sender could send no more. */
  readonly heldMb: number;
  /** The growth of the proxy's memory in MiB, from before the first byte to after the last. */
  readonly peakMib: number;
};

/**
 * One end of a WebSocket through the compiled binary sends much to the other end. The other end does not read
 * until the sender can send no more. Then it reads everything.
 *
 * @throws if the received bytes differ from the sent ones
 */
export async function stall(
  reader: "client" | "server",
  init: { readonly bytes: number; readonly messageBytes: number },
): Promise<Stalled> {
  const sum = createHash("sha1");
  const listener = { piece: (_: WireSocket, bytes: Buffer) => void sum.update(bytes) };
  await using chain = await startCompiledWires(reader === "server" ? listener : {});
  const { proxy, server } = chain;
  using client = await openWire(proxy.port, reader === "client" ? listener : {});
  await until("the server's end is open", () => server.open() === 1);
  const [serverEnd] = server.sockets as [WireSocket];
  const [from, to] = reader === "client" ? [serverEnd, client] : [client, serverEnd];
  resetPeak([proxy.pid]);
  to.pause();
  const flow = startFlow(from, init);
  await untilStill("the socket takes no more", flow.sent);
  const heldMb = flow.sent() / 1e6;
  to.resume();
  const sent = await flow.done;
  await until("all bytes have arrived", () => to.bytes === flow.sent(), 60_000);
  const came = sum.digest("hex");
  if (came !== sent)
    throw new Error(`The received bytes differ from the sent ones: SHA-1 ${came}, not ${sent}`);
  return { heldMb, peakMib: peakMib([proxy.pid]) };
}
