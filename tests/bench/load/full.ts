/**
 * `bun full.ts PORT PIDS`: paced streams, a tenth more with each step, until the proxy is full. PIDS are the
 * proxy's processes (`1,2`; empty without a proxy). The proxy is full when over 5 % of a step's events come
 * more than 50 ms late, or when one of its threads works all the time. The program repeats a failed step once.
 *
 * On two cores the load must leave as much CPU as possible to the proxy. So it reads one of eight streams as
 * its events come. It reads the others every 400 ms, and ignores their content.
 *
 * Prints the last good step as JSON. Its rate is 0 if the first step failed.
 */
import type { Socket } from "bun";
import { ENDLESS_PATH, MODEL, PACED_MS, padded } from "../answers.ts";
import { cpuSeconds, threadSeconds } from "../processes.ts";
import { openAll, rawRequest } from "./connection.ts";
import { readStamps, type Stream } from "./stamps.ts";

const LATE_MS = 50;
const LATE_SHARE = 0.05;
/** The kernel charges a little less than the elapsed time to a thread that never sleeps. */
const BUSY_SHARE = 0.97;
/** The smallest share of the due events that must arrive. */
const COME_SHARE = 0.95;
const FIRST_STREAMS = 250;
const GROWTH = 1.1;
const MOST_STREAMS = 5_000;
/** The program reads one of this many streams as its events come. */
const SAMPLE = 8;
const READ_MS = 400;
const TURN_MS = 10;
/** The time for the streams of a new step to begin. */
const SETTLE_MS = 500;
const WINDOW_MS = 1_500;

type Step = {
  /** Events a second. */
  readonly rate: number;
  readonly latePercent: number;
  /** The cores that the proxy kept busy, in total and by its busiest thread. */
  readonly cores: number;
  readonly threadCores: number;
  readonly held: boolean;
};

const [port = "", list = ""] = process.argv.slice(2);
const pids = list.split(",").filter(Boolean).map(Number);
const sampled = new Set<Socket<Stream>>();
const unread: Socket<Stream>[] = [];
let streams = 0;
let events = 0;
let late = 0;
let closed = 0;

function count(delayMs: number): void {
  events += 1;
  if (delayMs > LATE_MS) late += 1;
}

async function openTo(wanted: number): Promise<void> {
  await openAll<Stream>(
    { port: Number(port), count: wanted - streams, data: () => ({ rest: "" }) },
    {
      data: (socket, bytes) => {
        if (sampled.has(socket)) readStamps(socket, bytes, count);
        else socket.pause();
      },
      close: () => {
        closed += 1;
      },
      error: () => undefined, // counted by `close`
    },
    (socket) => {
      if (streams % SAMPLE === 0) sampled.add(socket);
      else unread.push(socket);
      streams += 1;
      socket.write(rawRequest(ENDLESS_PATH, padded({ model: MODEL }, 200)));
    },
  );
  await Bun.sleep(SETTLE_MS);
}

/** Reads the streams outside the sample, one after another, each every `READ_MS`. */
function readUnread(): void {
  const turns = READ_MS / TURN_MS;
  let turn = 0;
  setInterval(() => {
    turn = (turn + 1) % turns;
    for (let n = turn; n < unread.length; n += turns) unread[n]?.resume();
  }, TURN_MS);
}

async function measure(): Promise<Step> {
  const before = { cpu: cpuSeconds(pids), threads: threadSeconds(pids) };
  events = 0;
  late = 0;
  const startedMs = performance.now();
  await Bun.sleep(WINDOW_MS);
  const seconds = (performance.now() - startedMs) / 1000;
  const seen = { events, late };
  const threads = [...threadSeconds(pids)].map(
    ([thread, cpu]) => (cpu - (before.threads.get(thread) ?? 0)) / seconds,
  );
  const threadCores = Math.max(0, ...threads);
  const due = (sampled.size * seconds * 1000) / PACED_MS;
  return {
    rate: (seen.events / seconds) * (streams / sampled.size),
    latePercent: (seen.late / seen.events) * 100,
    cores: (cpuSeconds(pids) - before.cpu) / seconds,
    threadCores,
    held:
      seen.late <= seen.events * LATE_SHARE &&
      seen.events >= due * COME_SHARE &&
      threadCores < BUSY_SHARE,
  };
}

async function lastThatHeld(): Promise<Step | undefined> {
  let last: Step | undefined;
  for (let wanted = FIRST_STREAMS; wanted <= MOST_STREAMS; wanted = Math.ceil(wanted * GROWTH)) {
    await openTo(wanted);
    let step = await measure();
    if (!step.held) step = await measure();
    if (!step.held || closed > 0) return last;
    last = step;
  }
  return last;
}

readUnread();
const step = await lastThatHeld();
process.stdout.write(JSON.stringify({ rate: 0, ...step, failed: closed }));
process.exit(0);
