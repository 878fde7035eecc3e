/** The model list in Anthropic's format: the same objects, plus the fields that Anthropic's SDKs need. */
import { members } from "../../ground/json-text.ts";
import type { Model } from "../../routing/backend.ts";

/** Anthropic's Models API: 20 by default, 1,000 at most. */
const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 1_000;

/**
 * @param query `limit`, and `after_id` or `before_id`; with an unknown id the list starts at the edge
 * @returns one JSON text in parts
 */
export function anthropicList(models: readonly Model[], query: URLSearchParams): readonly string[] {
  const limit = limitOf(query.get("limit"));
  const after = models.findIndex(({ id }) => id === query.get("after_id")) + 1;
  const before = models.findIndex(({ id }) => id === query.get("before_id"));
  const [start, end] =
    before === -1
      ? [after, Math.min(after + limit, models.length)]
      : [Math.max(before - limit, 0), before];
  const page = models.slice(start, end);
  const rest = JSON.stringify({
    has_more: before === -1 ? end < models.length : start > 0,
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
  });
  const data = page.flatMap((model, n) => [n === 0 ? "" : ",", anthropicModel(model)]);
  return ['{"data":[', ...data, "],", rest.slice(1)];
}

/** The text of each model, made once and used for many requests. */
const written = new WeakMap<Model, string>();

/** @returns the JSON text of a model */
export function anthropicModel(model: Model): string {
  const known = written.get(model);
  if (known !== undefined) return known;
  const text = completed(model);
  written.set(model, text);
  return text;
}

/** Adds missing fields in front. The existing fields stay byte for byte as they are. */
function completed({ id, json }: Model): string {
  const own = new Map<string, string>();
  for (const member of members(json, 0)) {
    if (member === undefined || !NEEDED.has(member.key)) continue;
    own.set(member.key, json.slice(member.value.start, member.value.end));
  }
  const added = Object.entries({
    type: "model",
    display_name: id,
    created_at: createdAt(own.get("created")),
  }).filter(([key]) => !own.has(key));
  const before = added.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)},`);
  return `{${before.join("")}${json.slice(1)}`;
}

const NEEDED: ReadonlySet<string> = new Set(["type", "display_name", "created_at", "created"]);

function limitOf(text: string | null): number {
  const limit = Number(text ?? LIMIT_DEFAULT);
  return Number.isInteger(limit) && limit >= 1 ? Math.min(limit, LIMIT_MAX) : LIMIT_DEFAULT;
}

/**
 * Converts OpenAI's `created` (seconds) to an RFC 3339 time. Without it the time is the epoch, as in Anthropic's API.
 *
 * @param created its JSON text
 */
function createdAt(created: string | undefined): string {
  const seconds = Number(created); // anything but a number has quotes, brackets or letters
  const date = new Date((Number.isFinite(seconds) ? seconds : 0) * 1000);
  return Number.isNaN(date.getTime()) ? new Date(0).toISOString() : date.toISOString();
}
