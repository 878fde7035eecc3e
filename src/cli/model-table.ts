/**
 * Formats the models of a `GET /status` reply as a table: the servers, the load and the speed of each. Pure.
 */
import { z } from "zod/mini";
import { greatestFirst } from "../ground/greatest-first.ts";
import { printableInTable } from "../ground/printable.ts";
import { andMore, cut } from "../ground/some-of.ts";
import { columns, moreLine } from "./columns.ts";

const Window = z.object({
  requests: z.optional(z.number()),
  failed: z.optional(z.number()),
  first_chunk_ms: z.optional(z.nullable(z.object({ p50: z.number(), p95: z.number() }))),
  pieces_per_second: z.optional(z.nullable(z.number())),
  tokens_per_second: z.optional(z.nullable(z.number())),
});

/** An older proxy sends only the id, or the id and `waiting`. */
export const Model = z.object({
  id: z.string(),
  waiting: z.optional(z.number()),
  in_flight: z.optional(z.number()),
  /** `gets` is `all`, `shares` or `none`. A newer proxy may send other words: the table shows them too. */
  servers: z.optional(z.array(z.object({ container: z.string(), gets: z.string() }))),
  recent: z.optional(
    z.nullable(z.object({ last_5_minutes: z.optional(Window), last_hour: z.optional(Window) })),
  ),
});

export type ModelStatus = z.infer<typeof Model>;
type RecentWindow = z.infer<typeof Window>;

/** The most rows, and the longest id. */
const [ROWS_MAX, ID_LENGTH_MAX] = [50, 40];

/** The table leaves out an empty column, except these. */
const ALWAYS = ["MODEL", "IN FLIGHT", "LAST 5 MIN", "SERVERS"];
const HEADINGS = ["MODEL", "IN FLIGHT", "WAITING", "LAST 5 MIN", "ERRORS", "FIRST CHUNK"].concat(
  "SPEED",
  "SERVERS",
);
const NOTHING = "–";

/**
 * @param leftOut how many models the reply leaves out
 * @returns lines; no table for an older proxy, which does not send the servers
 */
export function modelLines(models: readonly ModelStatus[], leftOut: number): readonly string[] {
  if (!models.some(({ servers }) => servers !== undefined)) return moreLine(leftOut, "model");
  const busiest = greatestFirst(models, needOf).slice(0, ROWS_MAX);
  const rows = busiest.map(rowOf);
  const shown = HEADINGS.map(
    (heading, index) => ALWAYS.includes(heading) || rows.some((cells) => cells[index] !== NOTHING),
  );
  const table = [HEADINGS, ...rows].map((cells) => cells.filter((_, index) => shown[index]));
  return [...columns(table), ...moreLine(leftOut + models.length - busiest.length, "model")];
}

/** The current requests, the requests of the last 5 minutes, and the requests of the last hour. */
function needOf({ waiting = 0, in_flight = 0, recent }: ModelStatus): readonly number[] {
  const { last_5_minutes, last_hour } = recent ?? {};
  return [waiting + in_flight, last_5_minutes?.requests ?? 0, last_hour?.requests ?? 0];
}

function rowOf({ id, in_flight = 0, waiting, servers, recent }: ModelStatus): readonly string[] {
  const window = recent?.last_5_minutes ?? {};
  const cells = [
    cut(id, ID_LENGTH_MAX),
    `${in_flight}`,
    countText(waiting),
    `${window.requests ?? 0}`,
    countText(window.failed),
    firstChunkText(window.first_chunk_ms),
    speedText(window),
    serversText(servers),
  ];
  return cells.map(printableInTable); // before the columns are measured: an escape sequence has no width
}

function countText(count = 0): string {
  return count === 0 ? NOTHING : `${count}`;
}

/** The median and the 95th percentile. */
function firstChunkText(ms: RecentWindow["first_chunk_ms"]): string {
  return ms ? `${msText(ms.p50)} / ${msText(ms.p95)}` : NOTHING;
}

function msText(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${rounded(ms / 1_000)} s`;
}

function speedText({ tokens_per_second, pieces_per_second }: RecentWindow): string {
  if (typeof tokens_per_second === "number") return `${rounded(tokens_per_second)} tokens/s`;
  return typeof pieces_per_second === "number" ? `${rounded(pieces_per_second)} pieces/s` : NOTHING;
}

function rounded(number: number): number {
  return number < 10 ? Math.round(number * 10) / 10 : Math.round(number);
}

/** The texts after the name of one server and after the names of several. */
const GETS_TEXTS = new Map([
  ["all", ["gets all", "get all"]],
  ["shares", ["shares requests", "share requests"]],
  ["none", ["gets none", "get none"]],
]);
/** The most names in one group, and the longest name. */
const [NAMES_MAX, NAME_LENGTH_MAX] = [3, 40];

/** `vllm-2 gets all; vllm-1 gets none`. A single server that gets all is shown by its name alone. */
function serversText(servers: ModelStatus["servers"] = []): string {
  const [only, ...others] = servers;
  if (only === undefined) return NOTHING;
  if (others.length === 0 && only.gets === "all") return cut(only.container, NAME_LENGTH_MAX);
  const groups = [...Map.groupBy(servers, ({ gets }) => gets)];
  const takersFirst = groups.toSorted(([a], [b]) => Number(a === "none") - Number(b === "none"));
  return takersFirst
    .map(([gets, same]) => `${namesText(same)} ${getsText(gets, same.length)}`)
    .join("; ");
}

function getsText(gets: string, count: number): string {
  return GETS_TEXTS.get(gets)?.[count === 1 ? 0 : 1] ?? `(${gets})`;
}

function namesText(servers: readonly { readonly container: string }[]): string {
  const names = servers.slice(0, NAMES_MAX).map((one) => cut(one.container, NAME_LENGTH_MAX));
  return andMore(names, servers.length);
}
