/**
 * What has changed between two lists of one server's models, and the fields of the log line that says
 * so. Pure; decides nothing about backends.
 */
import { someOf } from "../ground/some-of.ts";
import type { Model } from "../routing/backend.ts";

/**
 * @returns the fields of a log line; undefined if both lists have the same ids. A model whose entry
 *   changed is the same model.
 */
export function modelChanges(
  before: readonly Model[],
  after: readonly Model[],
): Readonly<Record<string, unknown>> | undefined {
  const added = idsOnlyIn(after, before);
  const removed = idsOnlyIn(before, after);
  if (added.length === 0 && removed.length === 0) return undefined;
  return {
    model_count: after.length,
    added_count: added.length,
    added: someOf(added),
    removed_count: removed.length,
    removed: someOf(removed),
  };
}

function idsOnlyIn(models: readonly Model[], others: readonly Model[]): readonly string[] {
  const known = new Set(others.map(({ id }) => id));
  return models.filter(({ id }) => !known.has(id)).map(({ id }) => id);
}
