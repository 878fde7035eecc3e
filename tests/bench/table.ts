/** The figures of a run as one table: a line a figure, a column a target. Pure. */
import { median, pairwise, type Samples, spread, valuesOf } from "./samples.ts";
import { DIRECT, NGINX, OURS } from "./targets.ts";

type Line = {
  readonly workload: string;
  readonly figure: string;
  /** As the table names it. */
  readonly name: string;
  readonly digits: number;
  /** What direct has of it is taken off: what the proxy adds. */
  readonly added?: boolean;
  readonly target?: Goal;
};

/** What issues 9, 18 and 20 ask for, of the ratio to nginx or, `absolute`, of the figure itself. */
type Goal = {
  readonly better: "more" | "less";
  readonly atLeast: number;
  readonly aim: number;
  readonly absolute?: boolean;
};

function traffic(
  workload: string,
  title: string,
  init: { rate: string; cpu: string; goals?: Readonly<Record<string, Goal>> },
): readonly Line[] {
  const goals = init.goals ?? {};
  const line = (figure: string, name: string, digits: number, added = false): Line => ({
    workload,
    figure,
    name: `${title}: ${name}`,
    digits,
    added,
    ...(goals[figure] !== undefined && { target: goals[figure] }),
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

const more = (atLeast: number, aim: number): Goal => ({ better: "more", atLeast, aim });
const less = (atLeast: number, aim: number): Goal => ({ better: "less", atLeast, aim });
const atMost = (atLeast: number, aim: number): Goal => ({ ...less(atLeast, aim), absolute: true });

const PER_REQUEST = "CPU µs a request";
const PER_EVENTS = "CPU ms per 1,000 events";
const PER_TRANSFER = "CPU ms";
const PER_MESSAGES = "CPU ms per 1,000 messages";

const LINES: readonly Line[] = [
  ...traffic("json-1", "small JSON, 1 connection", {
    rate: "requests/s",
    cpu: PER_REQUEST,
    goals: { p50Us: less(1.7, 1) },
  }),
  ...traffic("json-32", "small JSON, 32 connections", {
    rate: "requests/s",
    cpu: PER_REQUEST,
    goals: { rate: more(0.7, 1) },
  }),
  ...traffic("paced", "500 paced streams", {
    rate: "events/s",
    cpu: PER_EVENTS,
    goals: { cpuUs: less(1.3, 1) },
  }),
  ...traffic("flood", "flood, 64 clients", {
    rate: "events/s",
    cpu: PER_EVENTS,
    goals: { rate: more(0.9, 1) },
  }),
  ...traffic("long-last", "1 MB prompt, model last", {
    rate: "MB/s",
    cpu: PER_REQUEST,
    goals: { rate: more(0.9, 1) },
  }),
  ...traffic("long-first", "1 MB prompt, model first", { rate: "MB/s", cpu: PER_REQUEST }),
  ...traffic("image", "10 MB image, model last", {
    rate: "MB/s",
    cpu: PER_REQUEST,
    goals: { rate: more(0.9, 1) },
  }),
  ...traffic("upload", "upload of 1 GiB", { rate: "MB/s", cpu: PER_TRANSFER }),
  ...traffic("download", "download of 1 GiB", { rate: "MB/s", cpu: PER_TRANSFER }),
  ...traffic("ws-paced", "50 WebSockets, 2,500 round trips/s", {
    rate: "messages/s",
    cpu: PER_MESSAGES,
    goals: { cpuUs: less(1.5, 1) },
  }),
  ...traffic("ws-full", "50 WebSockets, 1 message each on its way", {
    rate: "messages/s",
    cpu: PER_MESSAGES,
    goals: { cpuUs: less(1.8, 1) },
  }),
  ...traffic("ws-burst", "50 WebSockets, 4 messages each on their way", {
    rate: "messages/s",
    cpu: PER_MESSAGES,
    goals: { cpuUs: less(1.8, 1) },
  }),
  ...traffic("ws-open", "WebSockets opened, one echo, closed", {
    rate: "connections/s",
    cpu: "CPU µs a connection",
  }),
  {
    workload: "idle",
    figure: "residentMib",
    name: "5,000 idle streams: resident, MiB",
    digits: 0,
    target: atMost(250, 150),
  },
  { workload: "idle", figure: "descriptors", name: "5,000 idle streams: descriptors", digits: 0 },
  {
    workload: "start",
    figure: "listenMs",
    name: "exec to listening, ms",
    digits: 1,
    target: atMost(50, 15),
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
    target: atMost(50, 35),
  },
  ...swarm(0, "no swarm"),
  ...swarm(30, "swarm of 30 tasks", atMost(1.5, 1.5)),
  ...swarm(500, "swarm of 500 tasks", atMost(5, 5)),
];

/** Both figures are what the proxy adds. */
function swarm(tasks: number, title: string, target?: Goal): readonly Line[] {
  const [workload, digits] = ["swarm", 2];
  return [
    {
      ...{ workload, figure: `engine${tasks}`, digits },
      name: `${title}: CPU of its engine, % of a core`,
      ...(target !== undefined && { target }),
    },
    {
      ...{ workload, figure: `own${tasks}`, digits },
      name: `${title}: CPU of the proxy, % of a core`,
    },
  ];
}

/** Markdown. Medians with half their range, in percent; ratios of the same round, their median. */
export function table(samples: Samples, targets: readonly string[]): string {
  const rows = LINES.map((line) => row(samples, line, targets)).filter(
    (cells) => cells !== undefined,
  );
  const head = ["", ...targets, "ours / nginx", "at least", "aim"];
  const rule = ["---", ...head.slice(1).map(() => "--:")];
  return [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function row(
  samples: Samples,
  line: Line,
  targets: readonly string[],
): readonly string[] | undefined {
  const cells = targets.map((target) => {
    const values = figuresOf(samples, line, target);
    return values.length === 0 ? "" : show(values, line.digits);
  });
  if (cells.every((cell) => cell === "")) return undefined;
  return [line.name, ...cells, ...verdict(samples, line)];
}

function figuresOf(samples: Samples, line: Line, target: string): readonly number[] {
  const values = valuesOf(samples, line, target);
  if (!line.added) return values;
  if (target === DIRECT) return [];
  return pairwise(values, valuesOf(samples, line, DIRECT), (own, direct) => own - direct);
}

function show(values: readonly number[], digits: number): string {
  const middle = median(values);
  const digits_ = Math.abs(middle) < 10 && digits === 0 ? 1 : digits;
  const half = spread(values);
  const number = middle.toLocaleString("en", {
    minimumFractionDigits: digits_,
    maximumFractionDigits: digits_,
  });
  return values.length > 1 && Number.isFinite(half)
    ? `${number} ±${(half * 100).toFixed(0)} %`
    : number;
}

/** Ratio, floor and aim; a missed floor is marked. */
function verdict(samples: Samples, line: Line): readonly string[] {
  const own = figuresOf(samples, line, OURS);
  const ratios = pairwise(own, figuresOf(samples, line, NGINX), (a, b) => a / b);
  const ratio = ratios.length === 0 ? Number.NaN : median(ratios);
  const shown = Number.isNaN(ratio) ? "" : ratio.toFixed(2);
  const goal = line.target;
  if (goal === undefined) return [shown, "", ""];
  const judged = goal.absolute ? median(own) : ratio;
  const met = goal.better === "more" ? judged >= goal.atLeast : judged <= goal.atLeast;
  const sign = goal.better === "more" ? "≥" : "≤";
  const missed = Number.isNaN(judged) || met ? "" : " **missed**";
  return [shown, `${sign} ${goal.atLeast}${missed}`, `${sign} ${goal.aim}`];
}
