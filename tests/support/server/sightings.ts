/** Sightings of a server as a source would show them, without a source. */
import type { Health, Present, Sighting, Source } from "../../../src/sources/sighting.ts";

const SERVER = { source: "docker", id: "a".repeat(64) };

/** A run, its addresses, and its labels that are not the defaults. */
export type Place = Pick<Present, "origin" | "origins" | "run"> & {
  readonly settings?: Partial<Present["settings"]>;
};

/** The run at the beginning of the tests. It has a second address. */
export const RUN: Place = {
  run: { ...SERVER, startedAtMs: 1_000 },
  origin: "http://127.0.0.1:8000",
  origins: ["http://127.0.0.1:8000", "http://127.0.0.2:8000"],
};

export function sightingOf(seen: Health | "absent", place: Place): Sighting {
  const common = { server: SERVER, name: "vllm", slots: ["name vllm"] };
  return seen === "absent"
    ? {
        ...{ ...common, kind: "absent", state: "stopped", reason: "removed" },
        ...{ comesBack: false, outlook: "gone" },
      }
    : {
        ...{ ...common, ...place, kind: "present", seen },
        settings: { basePath: "/v1", ...place.settings },
      };
}

/** A source that sees everything at once. */
export const FOLLOWING: Pick<Source, "isFollowing" | "settled"> = {
  isFollowing: () => true,
  settled: async () => undefined,
};
