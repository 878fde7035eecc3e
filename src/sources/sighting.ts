/**
 * What every source tells the fleet: a sighting is what a source shows of one server at one moment.
 * What is here is the wall between what exists (sources/) and what is held of it (fleet/). It
 * knows no engine, no model and no request.
 */
import type { Rank, Run, RunEnd, Server } from "../routing/run.ts";

/** What a source shows of one server at one moment. */
export type Sighting = {
  readonly server: Server;
  /** What people call the server: the name of its container. */
  readonly name: string;
  /**
   * The places that it fills: its name, and its number in a Compose service. Another server in one of
   * them is its successor.
   */
  readonly slots: readonly string[];
} & (Absent | Ignored | Present);

/** The server does not run, or its label opts it out. */
type Absent = {
  readonly kind: "absent";
  readonly state: "stopped" | "restarting" | "disabled";
  /** In words for people, like all reasons. */
  readonly reason: string;
  /** True if the server runs all the same, or its source is going to start it again. */
  readonly comesBack: boolean;
  readonly outlook: Outlook;
  /** How its last run ended; undefined if it has had none, or if that is not known. */
  readonly end?: RunEnd | undefined;
};

/** What is to be expected of a server that does not run. */
export type Outlook =
  /** Its source is going to start it: again, or in the place of another one. */
  | "starts again"
  /** It starts again and again, and each time it ends before it is healthy. */
  | "crash loop"
  /** It was made, and never started: whoever made it is going to start it. */
  | "created"
  /** It was told to stop: it may be started again, or another one may take its place. */
  | "was stopped"
  /** Nothing. */
  | "gone";

/** The server runs, but its setup makes it impossible to route. */
type Ignored = { readonly kind: "ignored"; readonly reason: string };

/** The server runs, and is to be routed while it is healthy. */
export type Present = {
  readonly kind: "present";
  readonly run: Run;
  /** Where requests reach it: `http://host:port`. */
  readonly origin: string;
  /** All origins that reach it without a doubt. `origin` may be one of them. */
  readonly origins: readonly string[];
  /** Why `origin` may not reach it. */
  readonly doubt?: string | undefined;
  /** What else people should know of it while it is routed. In words. */
  readonly remark?: string | undefined;
  /**
   * Its machine may go away without a word: then its address swallows what is sent there, and its source learns of that
   * seconds later.
   */
  readonly mayVanish?: boolean | undefined;
  readonly settings: ServerSettings;
  /** It has started again and again, and each time it ended before it was healthy. */
  readonly isCrashLoop?: boolean;
  /** How the run before this one ended, if that is known. */
  readonly lastEnd?: RunEnd | undefined;
  /** What its runs before this one say of it, for as long as it is starting. In words for people. */
  readonly past?: string | undefined;
  readonly seen: Health;
  /** What is wrong with the server. Only present while `seen` is `not healthy`. */
  readonly trouble?:
    | { readonly state: "unhealthy" | "paused"; readonly reason: string }
    | undefined;
};

/** The group of all servers that have the label inference.replica=true, whatever their sources. */
export const LABELLED_REPLICAS = "inference.replica=true";

/** What the labels of a server say about its requests, whatever its source. */
export type ServerSettings = {
  /** Either `""`, or a path with a slash at its beginning and none at its end. */
  readonly basePath: string;
  /**
   * Ids of the only models to route to it, each once. Then it is not asked for its list. Undefined if
   * its list is to be asked for.
   */
  readonly models?: readonly string[];
  /**
   * The group with which it shares the requests of its models: all servers of one group that have a model share
   * its requests. `LABELLED_REPLICAS`, or a name that its source gives. Without it, it shares them with nobody.
   */
  readonly shares?: string;
  /** Most requests at once to it; no limit if it is not given. */
  readonly maxInFlight?: number;
};

export type Health =
  | "routable"
  /** The server was told to stop, and its stop notice has not lapsed. */
  | "stopping"
  /** The server is unhealthy or paused. */
  | "not healthy"
  /** The server runs, and no health check has passed yet. */
  | "starting";

/** What the fleet asks of a source. */
export type Source = {
  /** A part of the identity of each of its servers. */
  readonly name: string;
  /**
   * True while the source hears of the end of a run at once. While it does not, the address of a
   * run may already belong to another server.
   */
  readonly isFollowing: () => boolean;
  /**
   * Resolves when the source has told all that happened before this call. The fleet waits for this
   * before it admits a backend.
   */
  readonly settled: () => Promise<void>;
};

/**
 * The functions by which a source tells the fleet what it sees. Each acts at once, and waits for
 * nothing.
 */
export type SightingListener = {
  /** Returns the rank of a wake, before the source looks. Later wakes have greater ranks. */
  readonly nextRank: () => Rank;
  /** The source has met a server, and knows nothing else of it yet. */
  readonly met: (server: Server, name: string) => void;
  /**
   * The source has looked at a server.
   *
   * @param rank the rank of the wake that led to this look
   */
  readonly saw: (sighting: Sighting, rank: Rank) => void;
  /** A run has ended. The next sighting tells what came of it. */
  readonly over: (run: Run, end: RunEnd) => void;
  /** The source could not look at a server. The fleet keeps what it holds of it. */
  readonly couldNotSee: (server: Server, reason: string) => void;
  /** True if the server has a backend that takes new requests. */
  readonly takesRequests: (server: Server) => boolean;
  /**
   * The source does not follow the server any more. It has already told a sighting of it as absent; or as stopping, if
   * it lives on: then what is in flight there may finish.
   */
  readonly gone: (server: Server) => void;
  /**
   * The source has told of all servers that exist.
   *
   * @param isComplete true if it could look at each of them
   * @returns false if the source is to make another pass soon
   */
  readonly passed: (isComplete: boolean) => boolean;
};
