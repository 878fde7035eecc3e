/**
 * The interface between sources and the fleet. A sighting is what a source shows of one server at one
 * moment. Sources (sources/) know what exists, and the fleet (fleet/) knows what the proxy holds. This
 * file knows no engine, no model and no request.
 */
import type { Rank, Run, RunEnd, Server } from "../routing/run.ts";

/** What a source shows of one server at one moment. */
export type Sighting = {
  readonly server: Server;
  /** The name of its container. */
  readonly name: string;
  /**
   * The places that it fills: its name, and its number in a Compose service. A later server in one of
   * these places is its successor.
   */
  readonly slots: readonly string[];
} & (Absent | Ignored | Present);

/** The server does not run, or its label opts it out. */
type Absent = {
  readonly kind: "absent";
  readonly state: "stopped" | "restarting" | "disabled";
  /** A text for people, like all reasons. */
  readonly reason: string;
  /** True if the server runs anyway, or its source is going to start it again. */
  readonly comesBack: boolean;
  readonly outlook: Outlook;
  /** How its last run ended; undefined if it had no run, or if the end is unknown. */
  readonly end?: RunEnd | undefined;
};

/** What the fleet can expect from a server that does not run. */
export type Outlook =
  /** Its source is going to start it, either again or as the successor of another server. */
  | "starts again"
  /** It starts again and again, and ends each time before it is healthy. */
  | "crash loop"
  /** It was created but never started. Its creator is going to start it. */
  | "created"
  /** It was told to stop. Someone may start it again, or another server may take its place. */
  | "was stopped"
  /** It does not come back. */
  | "gone";

/** The server runs, but the proxy cannot route to it with its current setup. */
type Ignored = { readonly kind: "ignored"; readonly reason: string };

/** The server runs. The fleet must route to it while it is healthy. */
export type Present = {
  readonly kind: "present";
  readonly run: Run;
  /** Where requests reach it: `http://host:port`. */
  readonly origin: string;
  /** All origins that certainly reach it. `origin` may be among them. */
  readonly origins: readonly string[];
  /** Why `origin` may not reach it. */
  readonly doubt?: string | undefined;
  /** A note for people about a routed server. */
  readonly remark?: string | undefined;
  /**
   * Its machine may go away without notice. Then packets to its address get lost, and its source learns
   * this seconds later.
   */
  readonly mayVanish?: boolean | undefined;
  readonly settings: ServerSettings;
  /** It has started again and again, and ended each time before it was healthy. */
  readonly isCrashLoop?: boolean;
  /** How the previous run ended, if that is known. */
  readonly lastEnd?: RunEnd | undefined;
  /** A text for people about its previous runs. We show it only while the server is starting. */
  readonly past?: string | undefined;
  readonly seen: Health;
  /** What is wrong with the server. Only present while `seen` is `not healthy`. */
  readonly trouble?:
    | { readonly state: "unhealthy" | "paused"; readonly reason: string }
    | undefined;
};

/** The group of all servers that have the label inference.replica=true, whatever their sources. */
export const LABELLED_REPLICAS = "inference.replica=true";

/** The settings about requests from the labels of a server. All sources have them. */
export type ServerSettings = {
  /** Either `""`, or a path with a slash at its beginning and without a slash at its end. */
  readonly basePath: string;
  /**
   * The ids of the only models that the proxy routes to it, without duplicates. Undefined if the proxy
   * must ask the server for its model list.
   */
  readonly models?: readonly string[];
  /**
   * Its replica group. All servers of one group that have a model share the requests for that model.
   * Either `LABELLED_REPLICAS` or a name from its source. Without a group it shares no requests.
   */
  readonly shares?: string;
  /** How many requests it may get at once; no limit if undefined. */
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

/** The part of a source that the fleet uses. */
export type Source = {
  /** Part of the identity of each of its servers. */
  readonly name: string;
  /**
   * True while the source learns about the end of a run at once. While it is false, the address of a
   * run may already belong to another server.
   */
  readonly isFollowing: () => boolean;
  /**
   * Resolves when the source has reported all changes from before this call. The fleet waits for this
   * before it admits a backend.
   */
  readonly settled: () => Promise<void>;
};

/**
 * A source calls these functions to report to the fleet. Each one acts at once and waits for nothing.
 */
export type SightingListener = {
  /** Returns the rank of a wake, before the source looks. Later wakes have greater ranks. */
  readonly nextRank: () => Rank;
  /** The source has found a server, and knows nothing else about it yet. */
  readonly met: (server: Server, name: string) => void;
  /**
   * The source has looked at a server.
   *
   * @param rank the rank of the wake that led to this look
   */
  readonly saw: (sighting: Sighting, rank: Rank) => void;
  /** A run has ended. The next sighting says what happens to the server. */
  readonly over: (run: Run, end: RunEnd) => void;
  /** The source could not look at a server. The fleet keeps its old state. */
  readonly couldNotSee: (server: Server, reason: string) => void;
  /** True if the server has a backend that takes new requests. */
  readonly takesRequests: (server: Server) => boolean;
  /**
   * The source no longer follows the server. Its last sighting was absent; or it was stopping, if the
   * server still runs. In that case requests in flight may finish.
   */
  readonly gone: (server: Server) => void;
  /**
   * The source has reported all servers that exist.
   *
   * @param isComplete true if it could look at every server
   * @returns false if the source must make another pass soon
   */
  readonly passed: (isComplete: boolean) => boolean;
};
