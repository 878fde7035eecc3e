/** A server as a source would show it, without any source. */
import type { Health, Present, Sighting, Source } from "../../../src/sources/sighting.ts";

const SERVER = { source: "docker", id: "a".repeat(64) };

/** A run, the way to it, and what its labels say beside the defaults. */
export type Place = Pick<Present, "origin" | "origins" | "run"> & {
  readonly settings?: Partial<Present["settings"]>;
};

/** The run that tests begin with; it has another address too. */
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

/** A source that hears of everything as it happens. */
export const FOLLOWING: Pick<Source, "isFollowing" | "settled"> = {
  isFollowing: () => true,
  settled: async () => undefined,
};
