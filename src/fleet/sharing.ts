/**
 * If several containers have the same model: says in words for people which one gets its requests, or which ones
 * share them. Pure. It does not decide that. Its texts stay short for any number of models and containers.
 */
import { someOf } from "../ground/some-of.ts";
import type { Backend } from "../routing/backend.ts";
import type { Overlap } from "../routing/overlap.ts";
import { LABELLED_REPLICAS } from "../sources/sighting.ts";

/** The most models, and the most containers, that one text names. */
const NAMED_MAX = 3;

/**
 * @param overlaps see `RoutingTable.overlaps`
 * @returns a note for each backend in the overlaps, about the models in them
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

/** The models that a set of replicas shares. */
type Group = { readonly replicas: readonly Backend[]; readonly modelIds: readonly string[] };

/** Each replica gets one note for all models that it shares with the same other replicas. */
function shareNotes(overlaps: readonly Overlap[]): ReadonlyMap<Backend, readonly string[]> {
  const notes = new Map<Backend, string[]>();
  for (const [winner, ofWinner] of Map.groupBy(overlaps, (overlap) => overlap.winner)) {
    for (const { replicas, modelIds } of groupsOf(winner, ofWinner)) {
      const models = modelsText(modelIds);
      for (const replica of replicas) {
        const note = `shares the requests for ${models} with ${someOthers(replicas, replica)}`;
        notes.getOrInsertComputed(replica, () => []).push(note);
      }
    }
  }
  return notes;
}

/** @param overlaps the overlaps of this winner */
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

/** Reads no more replicas than it names: there may be many large groups. */
function someOthers(replicas: readonly Backend[], one: Backend): string {
  const others = replicas.slice(0, NAMED_MAX + 1).filter((replica) => replica !== one);
  const names = others.map(({ name }) => name);
  return some(names, replicas.length - 1, " and ");
}

function waitNotes(overlaps: readonly Overlap[]): readonly string[] {
  return overlaps.map(({ winner, other, modelIds }) => {
    const gets = `${some([winner.name])} gets the requests for ${modelsText(modelIds)}: it became healthy later`;
    if (winner.shares === LABELLED_REPLICAS) {
      return `${gets} and shares them only with containers that have the label inference.replica=true`;
    }
    if (other.shares === LABELLED_REPLICAS) {
      return `${gets} and does not have the label inference.replica=true`;
    }
    return winner.shares === undefined
      ? gets
      : `${gets} and shares them only with its own replicas`;
  });
}

/** One note for all containers that have the same models and get no requests for them. */
function winNotes(overlaps: readonly Overlap[]): readonly string[] {
  const byModels = Map.groupBy(overlaps, ({ modelIds }) => modelsText(modelIds));
  return [...byModels].map(([models, same]) => {
    const names = same.map(({ other }) => other.name);
    return `gets the requests for ${models} instead of ${some(names)}`;
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
 * @param count how many names there are in all
 * @param last the text before the last name, if all are named
 */
function some(names: readonly string[], count = names.length, last = ", "): string {
  const named = someOf(names.slice(0, NAMED_MAX));
  if (count > NAMED_MAX) return `${named.join(", ")} and ${count - NAMED_MAX} more`;
  return [named.slice(0, -1).join(", "), named.at(-1)].filter((text) => text !== "").join(last);
}
