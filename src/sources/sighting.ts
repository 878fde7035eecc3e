/**
 * What all sources speak: what one of them shows of a server at one moment, and whom it tells. This is the
 * wall between what is there (sources/) and what is held of it (fleet/): it knows no engine, no model and no
 * request.
 */
import type { Rank, Run, Server } from "../routing/run.ts";
import type { Settings } from "./labels.ts";

/** What a source shows of one server at one moment. */
export type Sighting = {
  readonly server: Server;
  /** What people call it: the name of its container. */
  readonly name: string;
} & (Absent | Ignored | Present);

/** It does not run, or is not to be routed. */
type Absent = {
  readonly kind: "absent";
  readonly state: "stopped" | "restarting" | "disabled";
  /** In a person's words, like all reasons. */
  readonly reason: string;
  /** Whether it runs all the same, or its source is going to start it again. */
  readonly comesBack: boolean;
};

/** It runs, but as it is set up it can't be routed. */
type Ignored = { readonly kind: "ignored"; readonly reason: string };

/** It runs and is to be routed when it is healthy. */
export type Present = {
  readonly kind: "present";
  readonly run: Run;
  /** Where it is reached: `http://host:port`. */
  readonly origin: string;
  /** Where else it is reached without a doubt, perhaps `origin` too. */
  readonly origins: readonly string[];
  /** Why it may well not be reachable at `origin`. */
  readonly doubt?: string | undefined;
  readonly settings: Pick<Settings, "basePath">;
  readonly seen: Health;
  /** What is wrong with it. Only of one that is seen as not healthy. */
  readonly trouble?:
    | { readonly state: "unhealthy" | "paused"; readonly reason: string }
    | undefined;
};

export type Health =
  | "routable"
  /** It was told to stop, and that has not lapsed. */
  | "stopping"
  /** Unhealthy or paused. */
  | "not healthy"
  /** It runs, and no health check has passed yet. */
  | "starting";

/** What the fleet asks of the source that shows it a server. */
export type Source = {
  /** Part of the identity of all its servers. */
  readonly name: string;
  /** Whether it hears of a run's end as it happens; if not, addresses may be another's by now. */
  readonly isFollowing: () => boolean;
  /** Resolves when all has been told that happened before this call: nobody is admitted until then. */
  readonly settled: () => Promise<void>;
};

/** Whom a source tells. All of it acts at once, and waits for nothing. */
export type SightingListener = {
  /** For the wake that is about to look: later ones have a greater rank. */
  readonly nextRank: () => Rank;
  /** There is such a server, and nothing else is known of it yet. */
  readonly met: (server: Server, name: string) => void;
  /** @param rank of the wake that saw it */
  readonly saw: (sighting: Sighting, rank: Rank) => void;
  /** A run is over; what is seen next tells what came of it. */
  readonly over: (run: Run, reason: string) => void;
  /** The source could not look: what is held of the server stays as it is. */
  readonly couldNotSee: (server: Server, reason: string) => void;
  /** There is no such server any more. Comes after a sighting of it as absent. */
  readonly gone: (server: Server) => void;
  /**
   * All servers that there are have been told of.
   *
   * @param isComplete whether each of them could be looked at
   * @returns whether that will do; if not, there is to be another pass soon
   */
  readonly passed: (isComplete: boolean) => boolean;
};
