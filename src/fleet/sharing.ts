/**
 * Says in words for people which of several containers with one model gets its requests. Pure. It
 * does not decide that, and its texts are short however many models and containers there are.
 */
import { someOf } from "../ground/some-of.ts";
import type { Backend } from "../routing/backend.ts";
import type { Overlap } from "../routing/overlap.ts";

/** How many models, and how many containers, a text names at a time. */
const NAMED_MAX = 3;

/** @returns for each backend that is in one of the overlaps what becomes of the models in it */
export function sharingNotes(overlaps: readonly Overlap[]): ReadonlyMap<Backend, string> {
  const waits = Map.groupBy(overlaps, ({ other }) => other);
  const wins = Map.groupBy(overlaps, ({ winner }) => winner);
  const backends = new Set([...waits.keys(), ...wins.keys()]);
  return new Map(
    [...backends].map((backend) => [
      backend,
      [...waitNotes(waits.get(backend) ?? []), ...winNotes(wins.get(backend) ?? [])].join("; "),
    ]),
  );
}

function waitNotes(overlaps: readonly Overlap[]): readonly string[] {
  const notes = overlaps.map(({ winner, modelIds }) => {
    const verb = modelIds.length === 1 ? "goes" : "go";
    return `${modelsText(modelIds)} ${verb} to ${some([winner.name])}, which became healthy later`;
  });
  return someNotes(notes);
}

/** One note for all containers that wait with the same models: that is what replicas do. */
function winNotes(overlaps: readonly Overlap[]): readonly string[] {
  const byModels = Map.groupBy(overlaps, ({ modelIds }) => modelsText(modelIds));
  const notes = [...byModels].map(([models, same]) => {
    const names = same.map(({ other }) => other.name);
    return `takes the requests of ${models} instead of ${some(names)}`;
  });
  return someNotes(notes);
}

function someNotes(notes: readonly string[]): readonly string[] {
  const more = notes.length - NAMED_MAX;
  return more > 0 ? [...notes.slice(0, NAMED_MAX), `and ${more} more like this`] : notes;
}

function modelsText(ids: readonly string[]): string {
  if (ids.length === 1) return `model ${some(ids)}`;
  return ids.length > NAMED_MAX ? `${ids.length} models (${some(ids)})` : `models ${some(ids)}`;
}

function some(names: readonly string[]): string {
  const more = names.length - NAMED_MAX;
  const named = someOf(names.slice(0, NAMED_MAX)).join(", ");
  return more > 0 ? `${named} and ${more} more` : named;
}
