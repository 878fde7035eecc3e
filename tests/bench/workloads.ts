/** The requests to each target, in the order of the table, and how they are measured. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  FLOOD_EVENTS,
  FLOOD_PATH,
  JSON_PATH,
  MODEL,
  PACED_EVENTS,
  padded,
  TRANSFER_BYTES,
} from "./answers.ts";
import { cpuSeconds, memoryMib, peakMib, resetPeak } from "./processes.ts";
import { find } from "./programs.ts";
import type { Sample } from "./samples.ts";
import type { Target, Upstream } from "./targets.ts";

export type Workload = {
  readonly name: string;
  readonly needs?: "wrk";
  /** It takes most of a minute, and runs only if `--only` names it. */
  readonly isLong?: true;
  readonly run: (target: Target, directory: string) => Promise<Load>;
};

/** The results of a load program. */
type Load = {
  readonly figures: Sample;
  /** Requests, events, or thousandths of a transfer. The CPU time is divided by this number. */
  readonly units: number;
  /** CPU time of the load program itself, s. */
  readonly cpuS: number;
};

const MB = 1e6;
const LONG_BYTES = MB;
const IMAGE_BYTES = 10 * MB;
export const PACED_CLIENTS = 500;

export const WORKLOADS: readonly Workload[] = [
  wrk("json-1", { connections: 1, seconds: 2, body: short, count: perRequest }),
  wrk("json-32", { connections: 32, seconds: 2, body: short, count: perRequest }),
  { name: "paced", run: paced },
  wrk("flood", { connections: 64, seconds: 2, body: short, path: FLOOD_PATH, count: perEvent }),
  wrk("long-last", {
    connections: 4,
    seconds: 1,
    body: () => long(LONG_BYTES, "last"),
    count: perMb(LONG_BYTES),
  }),
  wrk("long-first", {
    connections: 4,
    seconds: 1,
    body: () => long(LONG_BYTES, "first"),
    count: perMb(LONG_BYTES),
  }),
  wrk("image", { connections: 4, seconds: 2, body: image, count: perMb(IMAGE_BYTES) }),
  { name: "upload", run: (target) => transfer(target, "upload") },
  { name: "download", run: (target) => transfer(target, "download") },
  // Two messages each, one in each direction.
  { name: "ws-paced", run: (target) => webSockets(target, ["messages.ts", "0"], 2) },
  { name: "ws-full", run: (target) => webSockets(target, ["messages.ts", "1"], 2) },
  { name: "ws-burst", run: (target) => webSockets(target, ["messages.ts", "4"], 2) },
  { name: "ws-open", run: (target) => webSockets(target, ["connections.ts"], 1) },
  { name: "paced-full", isLong: true, run: pacedFull },
];

/** Runs the load, and measures its cost in the target. */
export async function measure(
  workload: Workload,
  target: Target,
  { upstream, directory }: { readonly upstream: Upstream; readonly directory: string },
): Promise<Sample> {
  resetPeak(target.pids);
  const before = { target: cpuSeconds(target.pids), upstream: cpuSeconds([upstream.pid]) };
  const startedMs = performance.now();
  const { figures, units, cpuS } = await workload.run(target, directory);
  const seconds = (performance.now() - startedMs) / 1000;
  const cpuUs = (cpuSeconds(target.pids) - before.target) * 1e6;
  return {
    ...figures,
    ...(target.pids.length > 0 && {
      cpuUs: units === 0 ? Number.NaN : cpuUs / units,
      peakMib: peakMib(target.pids),
      residentMib: memoryMib(target.pids),
      busy: cpuUs / 1e6 / seconds,
    }),
    // Cores that the load and the upstream kept busy. Below 1 they could have done more.
    loadBusy: cpuS / seconds,
    upstreamBusy: (cpuSeconds([upstream.pid]) - before.upstream) / seconds,
  };
}

type WrkFigures = Readonly<Record<"requests" | "seconds" | "failed" | "p50Us" | "p99Us", number>>;

type Counted = { readonly rate: number; readonly units: number };

type WrkInit = {
  readonly connections: number;
  readonly seconds: number;
  readonly body: () => string;
  readonly path?: string;
  readonly count: (requests: number, seconds: number) => Counted;
};

function wrk(
  name: string,
  { connections, seconds, body, path = JSON_PATH, count }: WrkInit,
): Workload {
  const run: Workload["run"] = async (target, directory) => {
    const file = join(directory, `${name}.body`);
    writeFileSync(file, body());
    const command = [
      find("wrk") ?? "wrk",
      ...["-t", "1", "-c", String(connections), "-d", String(seconds), "--timeout", "10"],
      ...["-s", join(import.meta.dir, "load/wrk.lua"), `http://127.0.0.1:${target.port}${path}`],
    ];
    const { figures, cpuS } = await runLoad<WrkFigures>(command, { BENCH_BODY: file });
    const { rate, units } = count(figures.requests, figures.seconds);
    const { failed, p50Us, p99Us } = figures;
    return { figures: { rate, p50Us, p99Us, failed }, units, cpuS };
  };
  return { name, needs: "wrk", run };
}

function perRequest(requests: number, seconds: number): Counted {
  return { rate: requests / seconds, units: requests };
}

function perEvent(requests: number, seconds: number): Counted {
  const events = requests * FLOOD_EVENTS;
  return { rate: events / seconds, units: events };
}

function perMb(bytes: number): WrkInit["count"] {
  return (requests, seconds) => ({ rate: (requests * bytes) / MB / seconds, units: requests });
}

async function paced(target: Target): Promise<Load> {
  type Figures = Readonly<Record<"events" | "missing" | "late" | "p50Us" | "p99Us", number>>;
  const { figures, cpuS } = await runLoad<Figures>(
    ours("paced.ts", String(target.port), String(PACED_CLIENTS)),
  );
  const { events, missing, late, p50Us, p99Us } = figures;
  const share = late / (PACED_CLIENTS * PACED_EVENTS);
  return {
    figures: { latePercent: share * 100, p50Us, p99Us, failed: missing },
    units: events,
    cpuS,
  };
}

/** The CPU time is that of the last good step, not of the whole load. */
async function pacedFull({ port, pids }: Target): Promise<Load> {
  type Figures = Readonly<
    Record<"rate" | "latePercent" | "cores" | "threadCores" | "failed", number>
  >;
  const { figures, cpuS } = await runLoad<Figures>(ours("full.ts", String(port), pids.join(",")));
  const { rate, failed, cores, threadCores } = figures;
  const busy = pids.length > 0 && { cores, threadCores };
  return { figures: { rate, failed, ...busy }, units: 0, cpuS };
}

async function transfer(target: Target, way: "upload" | "download"): Promise<Load> {
  type Figures = Readonly<Record<"seconds" | "failed", number>>;
  const { figures, cpuS } = await runLoad<Figures>(ours("transfer.ts", String(target.port), way));
  const rate = figures.failed > 0 ? Number.NaN : TRANSFER_BYTES / MB / figures.seconds;
  return { figures: { rate, failed: figures.failed }, units: 1000, cpuS };
}

async function webSockets(
  target: Target,
  [program, ...args]: readonly [string, ...string[]],
  unitsEach: number,
): Promise<Load> {
  type Figures = Readonly<Record<"echoes" | "seconds" | "failed" | "p50Us" | "p99Us", number>>;
  const { figures, cpuS } = await runLoad<Figures>(ours(program, String(target.port), ...args));
  const { echoes, seconds, failed, p50Us, p99Us } = figures;
  const rate = (echoes * unitsEach) / seconds;
  return { figures: { rate, failed, p50Us, p99Us }, units: echoes * unitsEach, cpuS };
}

export function ours(program: string, ...args: readonly string[]): readonly string[] {
  return [process.execPath, join(import.meta.dir, "load", program), ...args];
}

/** Runs a load program to its end. Its last line is JSON. */
async function runLoad<Figures>(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly figures: Figures; readonly cpuS: number }> {
  const child = Bun.spawn([...command], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const output = await child.stdout.text();
  const code = await child.exited;
  const last = output.trimEnd().split("\n").at(-1);
  if (code !== 0 || !last?.startsWith("{")) {
    throw new Error(
      `Cannot measure: ${command.join(" ")} exited with ${code}. Its output: ${output}`,
    );
  }
  const cpuS = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
  return { figures: JSON.parse(last) as Figures, cpuS };
}

function short(): string {
  return padded({ model: MODEL, messages: [{ role: "user", content: "Hello" }] }, 200);
}

/** A conversation of messages with a few hundred bytes each, as an agent sends it. */
function long(bytes: number, model: "first" | "last"): string {
  const messages: { readonly role: string; readonly content: string }[] = [];
  for (let length = 0; length < bytes; length += 400) {
    const role = messages.length % 2 === 0 ? "user" : "assistant";
    const content = `He said: "so be it",\nand left. ${messages.length} ${"What was it that he meant? ".repeat(12)}`;
    messages.push({ role, content });
  }
  return JSON.stringify(
    model === "first" ? { model: MODEL, messages } : { messages, model: MODEL },
  );
}

function image(): string {
  const url = `data:image/png;base64,${Buffer.alloc((IMAGE_BYTES * 3) / 4, "picture").toString("base64")}`;
  const content = [{ type: "image_url", image_url: { url } }];
  return JSON.stringify({ messages: [{ role: "user", content }], model: MODEL });
}
