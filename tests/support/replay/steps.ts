/**
 * Chooses the steps of a replay: which recordings, how much of each, in which order. Plays nothing: see
 * world.ts.
 */
import type { Random } from "../client/random-json.ts";
import { type RecordedEvent, readRecording } from "./recordings.ts";

export type Step = {
  readonly event: RecordedEvent;
  readonly key: string;
  /** Whether the container starts once more. Until then its state is restarting, not stopped. */
  readonly startsAgain: boolean;
};

const RECORDINGS_MAX = 3;
const CONTAINERS_MAX = 6;
const known = new Map<string, readonly RecordedEvent[]>();

/** Some recordings, each up to a random length, mixed in random order. */
export function chooseSteps(random: Random, names: readonly string[]): readonly Step[] {
  const tracks: (readonly Step[])[] = [];
  const keys = new Set<string>();
  for (let n = 1 + random(RECORDINGS_MAX); n > 0 && keys.size < CONTAINERS_MAX - 3; n -= 1) {
    const events = eventsOf(names[random(names.length)] ?? "");
    const track = stepsOf(events.slice(0, chooseLength(random, events)), `${n}`);
    for (const { key } of track) keys.add(key);
    tracks.push(track);
  }
  return interleave(random, tracks);
}

/** How much of a recording is played: all, a part, or up to a signal that the container survives. */
function chooseLength(random: Random, events: readonly RecordedEvent[]): number {
  const kill = events.findIndex(({ Action }) => Action === "kill");
  const choice = random(6);
  if (choice < 2) return events.length;
  return choice === 2 && kill >= 0 ? kill + 1 : 1 + random(events.length);
}

function eventsOf(name: string): readonly RecordedEvent[] {
  const events = known.get(name) ?? readRecording(name);
  known.set(name, events);
  return events;
}

function stepsOf(events: readonly RecordedEvent[], track: string): readonly Step[] {
  return events.map((event, index) => {
    const { ID } = event.Actor;
    const later = events.slice(index + 1).filter(({ Actor }) => Actor.ID === ID);
    const startsAgain = later.some(({ Action }) => Action === "start");
    return { event, key: `${track} ${ID}`, startsAgain };
  });
}

function interleave(random: Random, tracks: readonly (readonly Step[])[]): readonly Step[] {
  const rest = tracks.map((track) => [...track]);
  const steps: Step[] = [];
  while (rest.some((track) => track.length > 0)) {
    const step = rest[random(rest.length)]?.shift();
    if (step !== undefined) steps.push(step);
  }
  return steps;
}
