/** The rows of the table, with the limits of issues 9, 18, 20 and 21. */
import { BEFORE, BUN, CADDY, GO, NGINX } from "./targets.ts";

export type Line = {
  readonly workload: string;
  readonly figure: string;
  /** The row's name in the table. */
  readonly name: string;
  readonly digits: number;
  /** Whether to subtract the figure of `direct`, so that the row shows what the proxy adds. */
  readonly added?: boolean;
  readonly goals?: readonly Goal[];
};

/** The limit for the ratio to the figure of `than`, or without `than` for the figure itself. */
export type Goal = {
  readonly than?: string;
  readonly better: "more" | "less";
  readonly floor: number;
  readonly aim: number;
};

function traffic(
  workload: string,
  title: string,
  init: { rate: string; cpu: string; goals?: Readonly<Record<string, readonly Goal[]>> },
): readonly Line[] {
  const goals = init.goals ?? {};
  const line = (figure: string, name: string, digits: number, added = false): Line => ({
    workload,
    figure,
    name: `${title}: ${name}`,
    digits,
    added,
    ...(goals[figure] !== undefined && { goals: goals[figure] }),
  });
  return [
    line("rate", init.rate, 0),
    line("latePercent", "events late by over 5 ms, %", 2),
    line("cpuUs", init.cpu, 1),
    line("p50Us", "added p50, µs", 0, true),
    line("p99Us", "added p99, µs", 0, true),
    line("peakMib", "most resident, MiB", 0),
  ];
}

const more = (than: string, floor: number, aim: number): Goal => ({
  ...{ than, better: "more", floor, aim },
});
const less = (than: string, floor: number, aim: number): Goal => ({
  ...{ than, better: "less", floor, aim },
});
const atMost = (floor: number, aim: number): Goal => ({ better: "less", floor, aim });

const PER_REQUEST = "CPU µs a request";
const PER_EVENTS = "CPU ms per 1,000 events";
const PER_TRANSFER = "CPU ms";
const PER_MESSAGES = "CPU ms per 1,000 messages";

export const LINES: readonly Line[] = [
  ...traffic("json-1", "small JSON, 1 connection", {
    rate: "requests/s",
    cpu: PER_REQUEST,
    goals: { cpuUs: [less(GO, 1, 0.8)], p50Us: [less(NGINX, 1.7, 1), less(GO, 1, 0.8)] },
  }),
  ...traffic("json-32", "small JSON, 32 connections", {
    rate: "requests/s",
    cpu: PER_REQUEST,
    goals: {
      rate: [more(NGINX, 0.7, 1)],
      cpuUs: [less(BUN, 1.5, 1.4), less(BEFORE, 1.05, 0.8)],
    },
  }),
  ...traffic("paced", "500 paced streams", {
    rate: "events/s",
    cpu: PER_EVENTS,
    goals: {
      latePercent: [less(GO, 1, 0.9)],
      cpuUs: [less(NGINX, 1.3, 1), less(GO, 1, 0.9)],
    },
  }),
  ...traffic("flood", "flood, 64 clients", {
    rate: "events/s",
    cpu: PER_EVENTS,
    goals: { rate: [more(NGINX, 0.9, 1), more(GO, 1.1, 1.3)] },
  }),
  ...traffic("long-last", "1 MB prompt, model last", {
    rate: "MB/s",
    cpu: PER_REQUEST,
    goals: { rate: [more(NGINX, 0.9, 1)] },
  }),
  ...traffic("long-first", "1 MB prompt, model first", { rate: "MB/s", cpu: PER_REQUEST }),
  ...traffic("image", "10 MB image, model last", {
    rate: "MB/s",
    cpu: PER_REQUEST,
    goals: { rate: [more(NGINX, 0.9, 1)], cpuUs: [less(NGINX, 2, 1.5)] },
  }),
  ...traffic("upload", "upload of 1 GiB", {
    rate: "MB/s",
    cpu: PER_TRANSFER,
    goals: { cpuUs: [less(CADDY, 1.5, 1.2)] },
  }),
  ...traffic("download", "download of 1 GiB", { rate: "MB/s", cpu: PER_TRANSFER }),
  ...traffic("ws-paced", "50 WebSockets, 2,500 round trips/s", {
    rate: "messages/s",
    cpu: PER_MESSAGES,
    goals: { cpuUs: [less(NGINX, 1.5, 1)] },
  }),
  ...traffic("ws-full", "50 WebSockets, 1 message each on its way", {
    rate: "messages/s",
    cpu: PER_MESSAGES,
    goals: { cpuUs: [less(NGINX, 1.8, 1)] },
  }),
  ...traffic("ws-burst", "50 WebSockets, 4 messages each on their way", {
    rate: "messages/s",
    cpu: PER_MESSAGES,
    goals: { cpuUs: [less(NGINX, 1.8, 1)] },
  }),
  ...traffic("ws-open", "WebSockets opened, one echo, closed", {
    rate: "connections/s",
    cpu: "CPU µs a connection",
  }),
  ...full([
    ["rate", "events/s", 0],
    ["cores", "CPU then, cores", 2],
    ["threadCores", "its busiest thread then, cores", 2],
  ]),
  {
    workload: "idle",
    figure: "residentMib",
    name: "5,000 idle streams: resident, MiB",
    digits: 0,
    goals: [atMost(170, 140)],
  },
  { workload: "idle", figure: "descriptors", name: "5,000 idle streams: descriptors", digits: 0 },
  {
    workload: "start",
    figure: "listenMs",
    name: "exec to listening, ms",
    digits: 1,
    goals: [atMost(50, 15)],
  },
  {
    workload: "start",
    figure: "routedMs",
    name: "exec to first model routed, 20 containers, ms",
    digits: 1,
  },
  {
    workload: "start",
    figure: "restMib",
    name: "memory at rest, MiB",
    digits: 1,
    goals: [atMost(50, 35)],
  },
  ...swarm(0, "no swarm"),
  ...swarm(30, "swarm of 30 tasks", atMost(1.5, 1.5)),
  ...swarm(500, "swarm of 500 tasks", atMost(5, 5)),
];

/** Both figures show what the proxy adds. */
function swarm(tasks: number, title: string, goal?: Goal): readonly Line[] {
  const [workload, digits] = ["swarm", 2];
  return [
    {
      ...{ workload, figure: `engine${tasks}`, digits },
      name: `${title}: CPU of its engine, % of a core`,
      ...(goal !== undefined && { goals: [goal] }),
    },
    {
      ...{ workload, figure: `own${tasks}`, digits },
      name: `${title}: CPU of the proxy, % of a core`,
    },
  ];
}

/** A figure of the last good step. */
function full(
  figures: readonly (readonly [figure: string, name: string, digits: number])[],
): readonly Line[] {
  return figures.map(([figure, name, digits]) => ({
    ...{ workload: "paced-full", figure, digits },
    name: `paced streams, as many as it holds: ${name}`,
  }));
}
