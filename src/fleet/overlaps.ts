/**
 * Warns if containers serve the same models and do not share the requests, or if replicas differ. Does not decide
 * which container gets the requests.
 */
import { someOf } from "../ground/some-of.ts";
import type { Backend } from "../routing/backend.ts";
import type { Overlap } from "../routing/overlap.ts";
import { keyOf } from "../routing/run.ts";
import { LABELLED_REPLICAS } from "../sources/sighting.ts";
import type { WarnOnce } from "../telemetry/warn-once.ts";
import { differencesBetween, differencesText } from "./replica-differences.ts";

const NEITHER_IS_REPLICA =
  "two containers serve the same models; the last to become healthy gets all their requests: to have both share them, set the label inference.replica=true on both";
const ONE_IS_REPLICA =
  "two containers serve the same models and do not share their requests, because one of them lacks the label inference.replica=true: to have both share them, set it there too";
const OF_TWO_GROUPS =
  "two containers serve the same models; the last to become healthy gets all their requests, together with its own replicas: to have both share them, set the label inference.replica=true on both";
const REPLICAS_DIFFER =
  "two replicas of the same models differ, and requests go to either of them: set both up alike, or take the label inference.replica from one";

const OWN_REPLICAS_DIFFER =
  "two replicas of the same models differ, and requests go to either of them: set both up alike";

/** Warns once for each overlap: again only if something in it has changed. */
export function warnOfOverlaps(warnings: WarnOnce, overlaps: readonly Overlap[]): void {
  for (const overlap of overlaps) {
    if (overlap.areReplicas) warnOfDifferences(warnings, overlap);
    else warnOfRivals(warnings, overlap);
  }
}

function warnOfRivals(warnings: WarnOnce, { winner, other, modelIds }: Overlap): void {
  const fields = {
    container: winner.name,
    instead_of: other.name,
    model_count: modelIds.length,
    models: someOf(modelIds),
  };
  // Another winner or other models are news. Another order of the same models is not.
  const keys = [whoIs(winner), whoIs(other)];
  const said = `${keys[0]} ${hashOf([...modelIds].sort())}`;
  if (isLabelled(winner) || isLabelled(other)) {
    const { name } = isLabelled(winner) ? other : winner;
    warnings.warn(keys, ONE_IS_REPLICA, { ...fields, without_label: name }, said);
  } else if (winner.shares === undefined && other.shares === undefined) {
    warnings.warn(keys, NEITHER_IS_REPLICA, fields, said);
  } else warnings.warn(keys, OF_TWO_GROUPS, fields, said);
}

function warnOfDifferences(warnings: WarnOnce, { winner, other }: Overlap): void {
  const differences = differencesBetween(winner, other);
  const { servers, all } = differences;
  if (all.length === 0) return;
  const ids = [...new Set(all.map(({ modelId }) => modelId))];
  const fields = {
    containers: servers.map(({ name }) => name),
    model_count: ids.length,
    models: someOf(ids),
    reason: differencesText(differences),
  };
  const keys = servers.map(({ run }) => keyOf(run));
  const message = isLabelled(winner) ? REPLICAS_DIFFER : OWN_REPLICAS_DIFFER;
  warnings.warn(keys, message, fields, hashOf(all));
}

/** A group that a source has named counts as one server. Otherwise two such groups would cause many warnings. */
function whoIs(backend: Backend): string {
  const { run, shares } = backend;
  return shares === undefined || isLabelled(backend) ? keyOf(run) : shares;
}

function isLabelled({ shares }: Backend): boolean {
  return shares === LABELLED_REPLICAS;
}

/** A short text that stands for a long one, because `WarnOnce` keeps it. */
function hashOf(said: unknown): string {
  return Bun.SHA256.hash(JSON.stringify(said), "hex");
}
