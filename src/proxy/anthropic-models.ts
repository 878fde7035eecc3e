/** The model list in Anthropic's shape: the same objects, with what its list needs added where it is missing. */
import type { Model } from "../routing/backend.ts";

/** Anthropic's Models API: 20 unless asked for otherwise, 1,000 at most. */
const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 1_000;

type Page = {
  readonly data: readonly Model[];
  readonly has_more: boolean;
  readonly first_id: string | null;
  readonly last_id: string | null;
};

/** @param query `limit`, and `after_id` or `before_id`; an id that is not there starts at the edge */
export function anthropicList(models: readonly Model[], query: URLSearchParams): Page {
  const limit = limitOf(query.get("limit"));
  const after = models.findIndex(({ id }) => id === query.get("after_id")) + 1;
  const before = models.findIndex(({ id }) => id === query.get("before_id"));
  const [start, end] =
    before === -1
      ? [after, Math.min(after + limit, models.length)]
      : [Math.max(before - limit, 0), before];
  const data = models.slice(start, end).map(anthropicModel);
  return {
    data,
    has_more: before === -1 ? end < models.length : start > 0,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  };
}

export function anthropicModel(model: Model): Model {
  return {
    type: "model",
    display_name: model.id,
    created_at: createdAt(model["created"]),
    ...model,
  };
}

function limitOf(text: string | null): number {
  const limit = Number(text ?? LIMIT_DEFAULT);
  return Number.isInteger(limit) && limit >= 1 ? Math.min(limit, LIMIT_MAX) : LIMIT_DEFAULT;
}

/** RFC 3339, from OpenAI's `created` in seconds; the epoch where there is none, as Anthropic does. */
function createdAt(created: unknown): string {
  const seconds = Number(JSON.stringify(created) ?? 0); // a number kept as its text is an object here
  const date = new Date((Number.isFinite(seconds) ? seconds : 0) * 1000);
  return Number.isNaN(date.getTime()) ? new Date(0).toISOString() : date.toISOString();
}
