/** Which active backends have the same models, and whether they share their requests. Pure. */
import { type Backend, doShare } from "./backend.ts";
import type { Servers } from "./dispatcher.ts";
import { isSameServer, newestFirst } from "./run.ts";

/** Two active backends with the same models. */
export type Overlap = {
  /** The newer one. It gets all requests, unless the two share them. */
  readonly winner: Backend;
  readonly other: Backend;
  readonly modelIds: readonly string[];
  /** True if both are in one group and share the requests. If false, `other` gets none. */
  readonly areReplicas: boolean;
};

/** @returns the overlaps of one backend with the active ones of other servers */
export function overlapsWith(backend: Backend, rivals: Iterable<Backend>): readonly Overlap[] {
  const ids = new Set(backend.models.map(({ id }) => id));
  const overlaps: Overlap[] = [];
  for (const rival of rivals) {
    if (isSameServer(rival.run, backend.run) || rival.state !== "active") continue;
    const modelIds = rival.models.filter(({ id }) => ids.has(id)).map(({ id }) => id);
    if (modelIds.length === 0) continue;
    const [winner, other] = newestFirst(backend, rival) < 0 ? [backend, rival] : [rival, backend];
    const areReplicas = doShare(winner, other);
    overlaps.push({ winner, other, modelIds, areReplicas });
  }
  return overlaps;
}

/**
 * @returns the overlaps of the newest backend of each model with all other backends of the model; one overlap for
 *   each pair of backends
 */
export function overlapsByModel(served: Iterable<Servers>): readonly Overlap[] {
  const byWinner = new Map<Backend, Map<Backend, string[]>>();
  for (const { id, backends } of served) {
    if (backends.length === 1) continue;
    const [winner, ...others] = backends.filter(({ state }) => state === "active");
    for (const other of others) {
      if (winner === undefined) continue;
      const byOther = byWinner.getOrInsertComputed(winner, () => new Map<Backend, string[]>());
      byOther.getOrInsertComputed(other, () => []).push(id);
    }
  }
  return [...byWinner].flatMap(([winner, byOther]) =>
    [...byOther].map(([other, modelIds]) => {
      const areReplicas = doShare(winner, other);
      return { winner, other, modelIds, areReplicas };
    }),
  );
}
