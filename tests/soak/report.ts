/**
 * Prints the table of figures at the end, and each fault with the events around it.
 * Does not judge: see verdict.ts.
 */
import type { Chaos } from "./chaos.ts";
import type { EngineEvent } from "./engine-events.ts";
import type { Fleet } from "./fleet.ts";
import { type History, historyOf } from "./history.ts";
import type { Delivery } from "./journals.ts";
import type { Exchange } from "./load.ts";
import type { ProcessWatch } from "./process-watch.ts";
import { Truth } from "./truth.ts";
import { type Wrong, wrongAnswers } from "./verdict.ts";

export type Findings = {
  readonly fleet: Fleet;
  readonly chaos: Chaos;
  readonly watch: ProcessWatch;
  readonly events: readonly EngineEvent[];
  readonly exchanges: readonly Exchange[];
  readonly deliveries: readonly Delivery[];
  readonly drainMs: number;
  readonly statusChecks: number;
  /** Faults found during the run: differences of /status from the engine, and leftovers at the end. */
  readonly faults: readonly string[];
  /** The proxy's descriptors, before the load and after it. */
  readonly descriptors: readonly [number, number];
  readonly proxyStderr: string;
  readonly proxyLog: readonly Readonly<Record<string, unknown>>[];
};

/** More than the normal change of the runtime's memory from one minute to the next. */
const GROWTH_MIB_MAX = 24;
const SHOWN_MAX = 10;
/** The time around a wrong answer for which events are shown. */
const CONTEXT_MS = 12_000;

/** @returns whether nothing was wrong */
export function report(findings: Findings): boolean {
  const { fleet, watch, exchanges, deliveries, drainMs } = findings;
  const history = historyOf(findings.events);
  const truth = new Truth({ members: [...fleet.members.values()], history, drainMs });
  const wrong = wrongAnswers(truth, exchanges, deliveries);
  const [earlyMib, lateMib] = [watch.median("mib", 0.1, 0.4), watch.median("mib", 0.8, 1)];
  const grown = lateMib - earlyMib > GROWTH_MIB_MAX;
  const faults = [
    ...findings.faults,
    ...(grown ? [`memory grew by ${(lateMib - earlyMib).toFixed(0)} MiB`] : []),
    ...(findings.proxyStderr === "" ? [] : [`the proxy's stderr: ${findings.proxyStderr}`]),
  ];
  for (const each of wrong.slice(0, SHOWN_MAX)) show(each, findings);
  for (const fault of faults) say(`WRONG: ${fault}`);
  for (const refusal of findings.chaos.refusals) say(`the engine refused: ${refusal}`);
  const before = watch.median("descriptors", 0.1, 0.4);
  const late = watch.median("descriptors", 0.8, 1);
  const rows: readonly (readonly [string, string | number])[] = [
    ...[...findings.chaos.counts].sort().map(([name, count]) => [name, count] as const),
    ["containers, runs", `${fleet.members.size}, ${[...history.values()].flat().length}`],
    ...outcomeRows(exchanges),
    ["requests that servers got", deliveries.length],
    ["last request after a stop notice", `${latestMs(deliveries, history).toFixed(1)} ms`],
    ["/status compared with the engine", findings.statusChecks],
    ["resident memory, early and late", `${earlyMib.toFixed(0)}, ${lateMib.toFixed(0)} MiB`],
    ["descriptors under load, early and late", `${before}, ${late}`],
    ["descriptors before and after the load", findings.descriptors.join(", ")],
    ...[...Map.groupBy(wrong, ({ what }) => kindOf(what))].map(
      ([kind, all]) => [`wrong: ${kind}`, all.length] as const,
    ),
    ["wrong answers", wrong.length],
    ["other faults", faults.length],
  ];
  say("");
  for (const [name, value] of rows) say(`${name.padEnd(44)}${value}`);
  return wrong.length === 0 && faults.length === 0;
}

/** Without figures and addresses. */
function kindOf(what: string): string {
  return what.replace(/:.*/, "").replace(/ \d+/g, " n");
}

function outcomeRows(exchanges: readonly Exchange[]): readonly (readonly [string, number])[] {
  const kinds = Map.groupBy(exchanges, ({ outcome }) =>
    outcome.kind === "error" ? `${outcome.status} ${outcome.code}` : outcome.kind,
  );
  const rows = [...kinds].sort().map(([kind, all]) => [`requests: ${kind}`, all.length] as const);
  return [["requests", exchanges.length], ...rows];
}

/** By the engine's clock, which is also the servers' clock, because they run on one machine. */
function latestMs(deliveries: readonly Delivery[], history: History): number {
  const runsByContainer = new Map(
    [...history].map(([id, runs]) => [id.slice(0, 12), runs] as const),
  );
  return deliveries.reduce((latest, { container, atMs }) => {
    const runs = runsByContainer.get(container) ?? [];
    const run = runs.findLast(({ fromMs }) => fromMs <= atMs);
    return Math.max(latest, atMs - (run?.noticeMs ?? atMs));
  }, 0);
}

/**
 * Prints a wrong answer, then the engine's and the proxy's reports
 * about the model's containers, in order of time.
 */
function show({ what, atMs, model, container }: Wrong, findings: Findings): void {
  say(`WRONG at ${clock(atMs)}: ${what} (model ${model}, container ${container || "unknown"})`);
  const members = [...findings.fleet.members.values()].filter(
    ({ id, models }) => id.startsWith(container || "none") || models.includes(model ?? ""),
  );
  const around = (timeMs: number): boolean =>
    timeMs > atMs - CONTEXT_MS && timeMs < atMs + CONTEXT_MS / 4;
  const nameOf = new Map(
    members.map(({ id, name, termMode }) => [id, `${name} ${id.slice(0, 12)} ${termMode}`]),
  );
  const names = new Set(members.map(({ name }) => name));
  const lines = [
    ...findings.events
      .filter((event) => nameOf.has(event.containerId) && around(event.atMs))
      .map(({ atMs: timeMs, action, signal, containerId }) => ({
        timeMs,
        text: `engine  ${nameOf.get(containerId)}: ${action} ${signal ?? ""}`,
      })),
    ...findings.proxyLog
      .map((line) => ({ timeMs: Date.parse(String(line["time"])), line }))
      .filter(({ timeMs, line }) => around(timeMs) && names.has(String(line["container"])))
      .map(({ timeMs, line }) => ({ timeMs, text: `proxy   ${JSON.stringify(line)}` })),
  ];
  for (const line of lines.sort((a, b) => a.timeMs - b.timeMs))
    say(`    ${clock(line.timeMs)} ${line.text}`);
}

function clock(atMs: number): string {
  return new Date(atMs).toISOString().slice(11, 23);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
