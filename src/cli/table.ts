/**
 * Formats the reply of `GET /status` as tables for people or JSON for programs, and says whether all is well.
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
   * `routed`, `reading_models`, `starting`, `unhealthy` … A newer proxy may send other words: the table shows
   * them too.
   */
  state: z.string(),
  reason: z.string(),
  since: z.string(),
  address: z.nullable(z.string()),
  /** Its models, or only the first ones. */
  models: z.array(z.string()),
  /** An older proxy does not send it. */
  model_count: z.optional(z.number()),
  in_flight: z.number(),
  // An older proxy does not send these three.
  max_in_flight: z.optional(z.nullable(z.number())),
  load: z.optional(z.nullable(z.number())),
  /**
   * Keys are `prefix`, `load`, `only` and `failover`. A newer proxy may send others: the table shows them
   * too.
   */
  requests_last_minute: z.optional(z.nullable(z.record(z.string(), z.number()))),
});

/** The fields that the commands use. An older binary ignores the other fields of a newer proxy. */
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
  /** An older proxy does not send it. */
  swarm: z.optional(z.nullable(Swarm)),
  models: z.optional(z.array(Model)),
  /** How many entries the reply leaves out. An older proxy does not send it. */
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

/** @returns undefined if it is not the reply of a proxy */
export function parseStatus(body: string): StatusReply | undefined {
  try {
    return StatusReply.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined; // not even JSON
  }
}

/**
 * Whether the proxy is connected to the engine and routes to every container that opted in. Without a
 * connection to the engine or its swarm, the proxy may show an old state, so this returns false. A long reply
 * leaves out containers, but drops routed ones first. So the containers that it shows are enough to decide.
 */
export function isAllRouted({ engine, swarm, containers }: StatusReply): boolean {
  return (
    engine.state === "connected" &&
    swarm?.state !== "lost" &&
    containers.every(({ state }) => state === "routed" || state === "disabled")
  );
}

const HEADINGS = ["CONTAINER", "STATE", "FOR", "NODE", "IN FLIGHT", "ADDRESS"].concat(
  "MODELS OR REASON",
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
 * Writes the reply as the same JSON in one line, without control characters.
 *
 * @param body a reply that `parseStatus` accepts
 * @returns undefined if it is nested too deep for JSON.stringify
 */
export function renderJson(body: string): string | undefined {
  try {
    return `${printable(JSON.stringify(JSON.parse(body)))}\n`;
  } catch {
    return undefined; // a RangeError: our proxy never writes such a reply
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

/** No line while the proxy follows the tasks of the swarm. */
function swarmLine({ swarm }: StatusReply, nowMs: number): readonly string[] {
  if (!swarm || swarm.state === "followed") return [];
  const { state, reason, since } = swarm;
  const shownReason = typeof reason === "string" ? `: ${reason}` : "";
  return [printableInTable(`Docker swarm: ${state} for ${sinceText(since, nowMs)}${shownReason}`)];
}

/** The most models in the line below, and the most characters of their ids. */
const [WAITED_FOR_MAX, ID_LENGTH_MAX] = [10, 100];

/** `waiting: 12 for llama, 3 for qwen`, the longest queue first; no line if no request waits. */
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

/** While the proxy cannot reach the engine, the second text would wrongly blame the labels. */
function nothingLine(engineState: string): string {
  return engineState === "connecting"
    ? "The engine has not reported any container yet."
    : "No container has the label inference.enable. Add inference.enable=true to a server, and create its container again.";
}

/** Only tasks of a swarm have a node. Without tasks there is no NODE column. */
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
  return cells.map(printableInTable); // before the columns are measured: an escape sequence has no width
}

/** Its models, then notes in parentheses. Leaves out the note `healthy`. */
function servedText(container: ContainerStatus): string {
  const { models, model_count = 0, reason, load, requests_last_minute } = container;
  const notes = reason.split("; ").filter((note) => note !== "healthy");
  if (typeof load === "number") notes.push(`load ${load}`);
  if (requests_last_minute) notes.push(`last minute: ${requestsText(requests_last_minute)}`);
  return `${modelsText(models, model_count)}${notes.length === 0 ? "" : ` (${notes.join("; ")})`}`;
}

/** @param count the total number of models; 0 if unknown */
function modelsText(models: readonly string[], count: number): string {
  return models.length === 0 ? `${count} models` : andMore(models, count);
}

/** Texts for reasons that are unclear as `by` plus the field name. */
const REASON_TEXTS = new Map([["only", "as the only server"]]);

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
