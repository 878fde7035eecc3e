/**
 * Warns if containers serve the same models and do not share the requests, or if replicas differ. Does not decide
 * which container gets the requests.
 */
import { sentence } from "../ground/sentence.ts";
import { someOf } from "../ground/some-of.ts";
import type { Backend } from "../routing/backend.ts";
import type { Overlap } from "../routing/overlap.ts";
import { keyOf } from "../routing/run.ts";
import { LABELLED_REPLICAS } from "../sources/sighting.ts";
import type { WarnOnce } from "../telemetry/warn-once.ts";
import { differencesBetween, differencesText } from "./replica-differences.ts";

/** The reasons. Each says who gets the requests now, and how to change that. */
const LAST_TAKES_ALL = "The last container to become healthy gets all requests for these models.";
const SET_ON_BOTH =
  "To share the requests, set the label inference.replica=true on both containers.";
const NEITHER_IS_REPLICA = `${LAST_TAKES_ALL} ${SET_ON_BOTH}`;
const ONE_IS_REPLICA =
  "The containers do not share the requests for these models, because one does not have the label inference.replica=true. To share the requests, set it on the container in without_label too.";
const OF_TWO_GROUPS = `${LAST_TAKES_ALL} It shares them with its own replicas only. ${SET_ON_BOTH}`;
const SET_UP_ALIKE = "Requests go to both. Set up both in the same way";
const REPLICAS_DIFFER = `${SET_UP_ALIKE}, or remove the label inference.replica from one.`;
const OWN_REPLICAS_DIFFER = `${SET_UP_ALIKE}.`;

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
  const warn = (reason: string, more: object = {}): void =>
    warnings.warn(keys, "duplicate models", { ...fields, ...more, reason }, `${said} ${reason}`);
  if (isLabelled(winner) || isLabelled(other)) {
    const { name } = isLabelled(winner) ? other : winner;
    warn(ONE_IS_REPLICA, { without_label: name });
  } else if (winner.shares === undefined && other.shares === undefined) {
    warn(NEITHER_IS_REPLICA);
  } else warn(OF_TWO_GROUPS);
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
    reason: `${sentence(differencesText(differences))} ${isLabelled(winner) ? REPLICAS_DIFFER : OWN_REPLICAS_DIFFER}`,
  };
  const keys = servers.map(({ run }) => keyOf(run));
  warnings.warn(keys, "replicas differ", fields, hashOf(all));
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
