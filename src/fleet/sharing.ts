/**
 * Says in words for people which of several containers with one model gets its requests, or which of them
 * share these. Pure. It does not decide that, and its texts are short however many models and containers
 * there are.
 */
import { someOf } from "../ground/some-of.ts";
import type { Backend } from "../routing/backend.ts";
import type { Overlap } from "../routing/overlap.ts";
import { LABELLED_REPLICAS } from "../sources/sighting.ts";

/** How many models, and how many containers, a text names at a time. */
const NAMED_MAX = 3;

/**
 * @param overlaps those of the newest backend of each model with each other one: see `RoutingTable.overlaps`
 * @returns for each backend that is in one of the overlaps what becomes of the models in it
 */
export function sharingNotes(overlaps: readonly Overlap[]): ReadonlyMap<Backend, string> {
  const [shared, taken] = [
    overlaps.filter(({ areReplicas }) => areReplicas),
    overlaps.filter(({ areReplicas }) => !areReplicas),
  ];
  const shares = shareNotes(shared);
  const waits = Map.groupBy(taken, ({ other }) => other);
  const wins = Map.groupBy(taken, ({ winner }) => winner);
  const backends = new Set([...shares.keys(), ...waits.keys(), ...wins.keys()]);
  return new Map(
    [...backends].map((backend) => [
      backend,
      [
        ...someNotes(shares.get(backend) ?? []),
        ...someNotes(waitNotes(waits.get(backend) ?? [])),
        ...someNotes(winNotes(wins.get(backend) ?? [])),
      ].join("; "),
    ]),
  );
}

/** Models that the same replicas share. */
type Group = { readonly replicas: readonly Backend[]; readonly modelIds: readonly string[] };

/** Each replica has one note for all models that it shares with the same others. */
function shareNotes(overlaps: readonly Overlap[]): ReadonlyMap<Backend, readonly string[]> {
  const notes = new Map<Backend, string[]>();
  for (const [winner, ofWinner] of Map.groupBy(overlaps, (overlap) => overlap.winner)) {
    for (const { replicas, modelIds } of groupsOf(winner, ofWinner)) {
      const models = modelsText(modelIds);
      for (const replica of replicas) {
        const note = `shares the requests of ${models} with ${someOthers(replicas, replica)}`;
        notes.getOrInsertComputed(replica, () => []).push(note);
      }
    }
  }
  return notes;
}

/** @param overlaps those of one winner */
function groupsOf(winner: Backend, overlaps: readonly Overlap[]): readonly Group[] {
  const othersOf = new Map<string, number[]>();
  for (const [index, { modelIds }] of overlaps.entries()) {
    for (const id of modelIds) othersOf.getOrInsertComputed(id, () => []).push(index);
  }
  const groups = Map.groupBy(othersOf, ([, indexes]) => indexes.join());
  return [...groups.values()].map((models) => {
    const others = new Set(models[0]?.[1]);
    const replicas = overlaps.filter((_, index) => others.has(index)).map(({ other }) => other);
    return { replicas: [winner, ...replicas], modelIds: models.map(([id]) => id) };
  });
}

/** Looks at no more of them than it names: there may be many groups of many. */
function someOthers(replicas: readonly Backend[], one: Backend): string {
  const others = replicas.slice(0, NAMED_MAX + 1).filter((replica) => replica !== one);
  const names = others.map(({ name }) => name);
  return some(names, replicas.length - 1, " and ");
}

function waitNotes(overlaps: readonly Overlap[]): readonly string[] {
  return overlaps.map(({ winner, other, modelIds }) => {
    const verb = modelIds.length === 1 ? "goes" : "go";
    const to = `${modelsText(modelIds)} ${verb} to ${some([winner.name])}, which became healthy later`;
    if (winner.shares === LABELLED_REPLICAS) {
      return `${to} and shares only with containers that have the label inference.replica=true`;
    }
    if (other.shares === LABELLED_REPLICAS) {
      return `${to} and lacks the label inference.replica=true`;
    }
    return winner.shares === undefined ? to : `${to} and shares only with its own replicas`;
  });
}

/** One note for all containers that wait with the same models. */
function winNotes(overlaps: readonly Overlap[]): readonly string[] {
  const byModels = Map.groupBy(overlaps, ({ modelIds }) => modelsText(modelIds));
  return [...byModels].map(([models, same]) => {
    const names = same.map(({ other }) => other.name);
    return `takes the requests of ${models} instead of ${some(names)}`;
  });
}

function someNotes(notes: readonly string[]): readonly string[] {
  const more = notes.length - NAMED_MAX;
  return more > 0 ? [...notes.slice(0, NAMED_MAX), `and ${more} more like this`] : notes;
}

function modelsText(ids: readonly string[]): string {
  if (ids.length === 1) return `model ${some(ids)}`;
  return ids.length > NAMED_MAX ? `${ids.length} models (${some(ids)})` : `models ${some(ids)}`;
}

/**
 * @param count how many there are in all
 * @param last what stands before the last name if all are named
 */
function some(names: readonly string[], count = names.length, last = ", "): string {
  const named = someOf(names.slice(0, NAMED_MAX));
  if (count > NAMED_MAX) return `${named.join(", ")} and ${count - NAMED_MAX} more`;
  return [named.slice(0, -1).join(", "), named.at(-1)].filter((text) => text !== "").join(last);
}
