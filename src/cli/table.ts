/**
 * The reply of `GET /status` → tables for people, JSON for programs, and whether all is well. Asks nobody.
 * Pure.
 */
import { z } from "zod/mini";
import { printable, printableInTable } from "../ground/printable.ts";
import { andMore, cut } from "../ground/some-of.ts";
import { columns, moreLine } from "./columns.ts";
import { Model, modelLines } from "./model-table.ts";
import { nodesOf, Swarm, serviceLines } from "./service-table.ts";

const Container = z.object({
  id: z.optional(z.string()),
  name: z.string(),
  /**
   * `routed`, `reading_models`, `starting`, `unhealthy` … A newer proxy may have other words: they are shown
   * too.
   */
  state: z.string(),
  reason: z.string(),
  since: z.string(),
  address: z.nullable(z.string()),
  /** The first of them, if it has more than these. */
  models: z.array(z.string()),
  /** An older proxy does not have it. */
  model_count: z.optional(z.number()),
  in_flight: z.number(),
  // An older proxy has none of these three.
  max_in_flight: z.optional(z.nullable(z.number())),
  load: z.optional(z.nullable(z.number())),
  /** Keys are `prefix`, `load`, `only` and `failover`. A newer proxy may have other words: they are shown too. */
  requests_last_minute: z.optional(z.nullable(z.record(z.string(), z.number()))),
});

/** The fields that the commands use. Others are ignored, so that an older binary can ask a newer proxy. */
const StatusReply = z.object({
  version: z.string(),
  uptime_seconds: z.number(),
  ready: z.boolean(),
  in_flight: z.number(),
  engine: z.object({
    address: z.string(),
    state: z.string(),
    reason: z.nullable(z.string()),
    since: z.string(),
    api_version: z.nullable(z.string()),
  }),
  containers: z.array(Container),
  /** An older proxy has none. */
  swarm: z.optional(z.nullable(Swarm)),
  models: z.optional(z.array(Model)),
  /** How many there is no room for. An older proxy has none. */
  left_out: z.optional(
    z.object({
      containers: z.optional(z.number()),
      services: z.optional(z.number()),
      models: z.optional(z.number()),
      details: z.optional(z.boolean()),
    }),
  ),
});

export type StatusReply = z.infer<typeof StatusReply>;
type ContainerStatus = StatusReply["containers"][number];

/** @returns undefined if it is not a proxy's reply */
export function parseStatus(body: string): StatusReply | undefined {
  try {
    return StatusReply.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined; // not even JSON
  }
}

/**
 * Whether the proxy hears the engine and routes to every container that opted in. A proxy that does not hear
 * the engine, or not its swarm, may show an old state, so that does not count as well. A reply that is too long leaves
 * out what is not routed last of all: so what is shown says it, even then.
 */
export function isAllRouted({ engine, swarm, containers }: StatusReply): boolean {
  return (
    engine.state === "connected" &&
    swarm?.state !== "lost" &&
    containers.every(({ state }) => state === "routed" || state === "disabled")
  );
}

const HEADINGS = ["CONTAINER", "STATE", "FOR", "NODE", "IN FLIGHT", "ADDRESS"].concat(
  "MODELS, OR WHY NOT",
);

const NODE_AT = HEADINGS.indexOf("NODE");
const NOTHING = "–";

/** @param nowMs since the epoch */
export function renderStatus(status: StatusReply, nowMs: number): string {
  const { version, uptime_seconds, ready, in_flight, engine, containers } = status;
  const { models = [], swarm, left_out } = status;
  const tables = [
    swarm ? serviceLines(swarm, left_out) : [],
    modelLines(models, left_out?.models ?? 0),
  ];
  const up = duration(uptime_seconds);
  const lines = [
    printableInTable(
      `lw-inference-proxy ${version}, up ${up}, ${ready ? "ready" : "not ready yet"}, ${in_flight} in flight`,
    ),
    engineLine(status, nowMs),
    ...swarmLine(status, nowMs),
    ...waitingLine(status),
    "",
    ...(containers.length === 0 ? [nothingLine(engine.state)] : containerLines(status, nowMs)),
    ...moreLine(left_out?.containers ?? 0, "container"),
    ...tables.flatMap((table) => (table.length === 0 ? [] : ["", ...table])),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/**
 * Writes the reply anew: the same JSON in one line, in which nothing steers a terminal.
 *
 * @param body one that `parseStatus` accepts
 * @returns undefined if it is nested so deep that JSON.stringify can't write it
 */
export function renderJson(body: string): string | undefined {
  try {
    return `${printable(JSON.stringify(JSON.parse(body)))}\n`;
  } catch {
    return undefined; // a RangeError: no proxy of ours writes such a thing
  }
}

function engineLine({ engine }: StatusReply, nowMs: number): string {
  const { address, state, reason, since, api_version } = engine;
  const api = api_version === null ? "" : `, API ${api_version}`;
  const shownReason = reason === null ? "" : `: ${reason}`;
  return printableInTable(
    `Docker engine at ${address}: ${state} for ${sinceText(since, nowMs)}${api}${shownReason}`,
  );
}

/** No line while the tasks of the swarm are followed. */
function swarmLine({ swarm }: StatusReply, nowMs: number): readonly string[] {
  if (!swarm || swarm.state === "followed") return [];
  const { state, reason, since } = swarm;
  const shownReason = typeof reason === "string" ? `: ${reason}` : "";
  return [printableInTable(`Docker swarm: ${state} for ${sinceText(since, nowMs)}${shownReason}`)];
}

/** The most models in the line below, and the most characters of their ids. */
const [WAITED_FOR_MAX, ID_LENGTH_MAX] = [10, 100];

/** `waiting: 12 for llama, 3 for qwen`, those with the most first; no line if no request waits. */
function waitingLine({ models = [] }: StatusReply): readonly string[] {
  const waited = models
    .map(({ id, waiting = 0 }) => ({ id, waiting }))
    .filter(({ waiting }) => waiting > 0)
    .sort((a, b) => b.waiting - a.waiting);
  if (waited.length === 0) return [];
  const texts = waited
    .slice(0, WAITED_FOR_MAX)
    .map(({ id, waiting }) => `${waiting} for ${cut(id, ID_LENGTH_MAX)}`);
  const rest = waited.slice(WAITED_FOR_MAX);
  const sum = rest.reduce((all, { waiting }) => all + waiting, 0);
  if (rest.length > 0) texts.push(`${sum} for ${rest.length} more`);
  return [printableInTable(`waiting: ${texts.join(", ")}`)];
}

/** Two texts: while the proxy can't reach the engine, the second would blame the labels for it. */
function nothingLine(engineState: string): string {
  return engineState === "connecting"
    ? "The engine has told of no container yet."
    : "No container has the label inference.enable.";
}

/** The node of each is only told of tasks of a swarm: without any there is no column of it. */
function containerLines({ containers, swarm }: StatusReply, nowMs: number): readonly string[] {
  const nodes = nodesOf(swarm);
  const nodeIn = ({ id = "" }: ContainerStatus): string => nodes.get(id) ?? NOTHING;
  const rows = containers.map((container) => row(container, nodeIn(container), nowMs));
  const table = [HEADINGS, ...rows];
  return columns(
    rows.some((cells) => cells[NODE_AT] !== NOTHING)
      ? table
      : table.map((cells) => cells.toSpliced(NODE_AT, 1)),
  );
}

function row(container: ContainerStatus, node: string, nowMs: number): readonly string[] {
  const { name, state, reason, since, address, models, in_flight, max_in_flight } = container;
  const { model_count = 0 } = container;
  const last =
    state === "routed" && (models.length > 0 || model_count > 0) ? servedText(container) : reason;
  const inFlight = `${in_flight}${typeof max_in_flight === "number" ? `/${max_in_flight}` : ""}`;
  const cells = [name, state, sinceText(since, nowMs), node, inFlight, address ?? NOTHING, last];
  return cells.map(printableInTable); // before anything measures them: an escape sequence has no width
}

/** Its models, and behind them what is to be said of it beside that it is healthy. */
function servedText(container: ContainerStatus): string {
  const { models, model_count = 0, reason, load, requests_last_minute } = container;
  const notes = reason.split("; ").filter((note) => note !== "healthy");
  if (typeof load === "number") notes.push(`load ${load}`);
  if (requests_last_minute) notes.push(`last minute: ${requestsText(requests_last_minute)}`);
  return `${modelsText(models, model_count)}${notes.length === 0 ? "" : ` (${notes.join("; ")})`}`;
}

/** @param count how many there are in all, if that is known */
function modelsText(models: readonly string[], count: number): string {
  return models.length === 0 ? `${count} models` : andMore(models, count);
}

/** Why a replica got requests, where `by` and the word of the field would not say it. */
const REASON_TEXTS = new Map([["only", "as the only one"]]);

function requestsText(requests: Readonly<Record<string, number>>): string {
  const texts = Object.entries(requests)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${count} ${REASON_TEXTS.get(reason) ?? `by ${reason}`}`);
  return texts.length === 0 ? "no requests" : texts.join(", ");
}

function sinceText(since: string, nowMs: number): string {
  return duration((nowMs - Date.parse(since)) / 1_000);
}

/** The two largest units: `12 s`, `3 min 4 s`, `5 h 6 min`, `7 d 8 h`. */
function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const units = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3_600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ] as const;
  const largest = units.findIndex(([count]) => count > 0);
  if (largest === -1) return "0 s";
  return units
    .slice(largest, largest + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}
