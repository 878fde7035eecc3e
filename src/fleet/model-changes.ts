/**
 * Compares two model lists of one server, and reports the changes to the log and to the last changes. Decides
 * nothing about backends.
 */
import { andMore, someOf } from "../ground/some-of.ts";
import type { Model } from "../routing/backend.ts";
import type { Changes } from "../telemetry/changes.ts";
import type { Log } from "../telemetry/log.ts";

/** The fields of a log line. */
export type ModelChanges = {
  readonly model_count: number;
  readonly added_count: number;
  /** The first few ids. */
  readonly added: readonly string[];
  readonly removed_count: number;
  readonly removed: readonly string[];
};

/** @returns undefined if both lists have the same ids. A model whose entry changed is the same model. */
export function modelChanges(
  before: readonly Model[],
  after: readonly Model[],
): ModelChanges | undefined {
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

/** @param container its name */
export function tellOfModels(
  container: string,
  changed: ModelChanges,
  { log, changes }: { readonly log: Log; readonly changes?: Changes | undefined },
): void {
  log.info("models changed", { container, ...changed });
  const [state, reason] = ["models changed", textOf(changed)];
  changes?.add({ what: "container", name: container, state, reason, gist: state }, Date.now());
}

/** For people: `new: a, b; gone: c and 9 more`. */
function textOf(changes: ModelChanges): string {
  const { added, added_count, removed, removed_count } = changes;
  const texts = [
    ["new", added, added_count] as const,
    ["gone", removed, removed_count] as const,
  ].map(([word, ids, count]) =>
    count === 0 ? "" : `${word}: ${andMore(ids.slice(0, NAMED_MAX), count)}`,
  );
  return texts.filter((text) => text !== "").join("; ");
}

const NAMED_MAX = 3;

function idsOnlyIn(models: readonly Model[], others: readonly Model[]): readonly string[] {
  const known = new Set(others.map(({ id }) => id));
  return models.filter(({ id }) => !known.has(id)).map(({ id }) => id);
}
