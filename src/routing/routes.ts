/**
 * What a request may do with the routing table: look up a model, and take a lease on a backend. Holds the
 * types of that face alone; what changes the table is the fleet's, in `table.ts`.
 */
import type { Backend, Lease, Model } from "./backend.ts";
import type { Decision } from "./decisions.ts";
import type { Run } from "./run.ts";

/** What keeps a server from taking requests, where that is known. */
export type Trouble =
  | "paused"
  | "unhealthy"
  | "stopping"
  /** Somebody has taken it out. */
  | "drained"
  /** It runs, but its setup makes it impossible to route. */
  | "misconfigured"
  /** It was told to stop and went, and another one may come in its place. */
  | "being replaced"
  /** It was routed, and no connection to it can be made. */
  | "unreachable";

/** All who serve a model take no new request. */
export type Draining = {
  readonly kind: "draining";
  /** What keeps all of them from it, if that is the same. */
  readonly trouble?: Trouble | undefined;
};

/** Nobody serves a model, but who did runs on, or it starts: again, or another one in its place. */
export type Unavailable = {
  readonly kind: "unavailable";
  /** What keeps all of them from serving it, if that is the same. */
  readonly trouble?: Trouble | undefined;
  /**
   * What has become of the server, in words for clients, if there is one alone:
   * `ran out of memory and is starting again`.
   */
  readonly says?: string | undefined;
  /** None of them will serve it soon: it is no use to wait. */
  readonly isHopeless?: boolean | undefined;
};

/** Nobody serves a model, and nobody is expected to. */
export type Unknown = {
  readonly kind: "unknown";
  /** What became of the last server that was expected to, in words for clients: `exited with code 1`. */
  readonly says?: string | undefined;
};

/** Why nobody takes a request for a model. */
export type Nobody = Draining | Unavailable | Unknown;

/** What is known of a model. */
export type ModelLookup =
  | {
      readonly kind: "live";
      readonly model: Model;
      /** Several replicas share its requests: it matters what a request says beside its model. */
      readonly isShared: boolean;
    }
  /** `id` is the one under which it is listed when somebody serves it. */
  | (Exclude<Nobody, { readonly kind: "unknown" }> & { readonly id: string })
  | Extract<Nobody, { readonly kind: "unknown" }>;

/** What routing may look at of a request beside its model. It matters only for models with replicas. */
export type Asking = {
  /** Who has failed this request already: they are not asked again. */
  readonly failed?: ReadonlySet<Backend> | undefined;
  /** See `choose.ts`. */
  readonly prompt?: Uint8Array | undefined;
  /** The run that made what the request goes on from: only its replica can take the request. */
  readonly madeBy?: Run | undefined;
  /** The request is about what a server keeps: it goes to the newest replica, as all of its kind do. */
  readonly goesToNewest?: boolean | undefined;
};

/** Who takes a request: the lease is taken already, and must be ended. */
export type Routed = {
  readonly kind: "routed";
  readonly lease: Lease;
  /** Why this replica; undefined if the model has none. */
  readonly decision?: Decision;
  /** Says whether other replicas may take the request if this one fails it. */
  readonly mayMove: boolean;
  /** The model that they share. Set if the request may move: it need not have named one. */
  readonly model?: string;
};

/** All that could take the request have as many in flight as they may. */
export type Saturated = { readonly kind: "saturated" };

export type Route = Routed | Saturated | Nobody;

/**
 * All of it is synchronous, and nothing can happen between a choice and its count. What takes a lease must
 * be called in the same step in which the request is sent: no `await` may stand between.
 */
export type Routes = {
  /** All active models, one object each (the newest backend's), sorted by id; another list when they change. */
  readonly models: readonly Model[];
  /**
   * Says what is known of a model, and takes no lease.
   *
   * @param name its id, or another name by which its server takes requests: see `names.ts`
   */
  readonly find: (name: string) => ModelLookup;
  /**
   * Takes a lease on a backend that has the model by this name. The newest decides: it takes all, or, if it is
   * a replica, shares with the others of its group.
   */
  readonly route: (name: string, asking?: Asking) => Route;
  /** Says whether another replica of the model could take a request that these have failed. */
  readonly canMove: (name: string, failed: ReadonlySet<Backend>) => boolean;
  /** Leaves a replica alone for a while, as long as another one can take a request. */
  readonly cool: (backend: Backend, ms: number) => void;
  /**
   * Takes a lease for a request that names no model, if there is no doubt where it belongs: only one
   * backend that has models is active, or only one model.
   *
   * @returns undefined if there is doubt
   */
  readonly only: (asking?: Asking) => Route | undefined;
  /**
   * Takes a lease on the only server there is. One that is starting again, unhealthy or paused counts as a
   * server too, since it may have made what a request is about; one that is stopping does not. The replicas
   * of one model count as one server, and the newest of them takes the request.
   *
   * @returns undefined if there are several
   */
  readonly onlyServer: () => Route | undefined;
  /**
   * Calls the listener after each change that may let a request be routed that could not be before, or that
   * makes it clear that it never will be. It must be quick, and must not throw.
   */
  readonly onChange: (listener: () => void) => void;
  /** How many backends take new requests. */
  readonly activeCount: number;
  /** Takes a lease on the active backend that became routable last. */
  readonly newest: () => Route | undefined;
  /** Takes a lease on the active backend of one run, whatever its models. */
  readonly routeToRun: (run: Run) => Route;
  /** Says whether there is a backend of one run, active or draining. */
  readonly hasRun: (run: Run) => boolean;
};
