/**
 * What request handling may do with the routing table: look up a model, and take a lease on a backend. Holds only
 * the types. The methods that change the table are in `table.ts`; only the fleet calls them.
 */
import type { Backend, Lease, Model } from "./backend.ts";
import type { Decision } from "./decisions.ts";
import type { Run } from "./run.ts";

/** What keeps a server from taking requests, if we know it. */
export type Trouble =
  | "paused"
  | "unhealthy"
  | "stopping"
  /** An operator has drained it. */
  | "drained"
  /** It runs, but the proxy cannot route it as it is set up. */
  | "misconfigured"
  /** It was told to stop and is gone. Another one may take its place. */
  | "being replaced"
  /** It was routed, and the proxy can no longer connect to it. */
  | "unreachable";

/** Backends serve the model, but all of them are draining. */
export type Draining = {
  readonly kind: "draining";
  /** What keeps them from taking requests, if it is the same for all. */
  readonly trouble?: Trouble | undefined;
};

/** No backend serves the model, but a server is expected to: it runs, or it or its successor is starting. */
export type Unavailable = {
  readonly kind: "unavailable";
  /** What keeps the expected servers from serving it, if it is the same for all. */
  readonly trouble?: Trouble | undefined;
  /**
   * What became of the server, in words for clients: `ran out of memory and is starting again`. Set only if there
   * is exactly one such server.
   */
  readonly says?: string | undefined;
  /** No such server will serve it soon, so a request should not wait. */
  readonly isHopeless?: boolean | undefined;
};

/** No backend serves the model, and no server is expected to. */
export type Unknown = {
  readonly kind: "unknown";
  /** What became of the last server that was expected to serve it, in words for clients: `exited with code 1`. */
  readonly says?: string | undefined;
};

/** Why no backend takes a request for a model. */
export type Nobody = Draining | Unavailable | Unknown;

/** The result of looking up a model. */
export type ModelLookup =
  | {
      readonly kind: "live";
      readonly model: Model;
      /** Several replicas share its requests, so other fields of a request matter too. */
      readonly isShared: boolean;
    }
  /** `id` is the id of the model in the model list when a server serves it. */
  | (Exclude<Nobody, { readonly kind: "unknown" }> & { readonly id: string })
  | Extract<Nobody, { readonly kind: "unknown" }>;

/** What routing knows about a request besides its model. Only models with replicas need it. */
export type Asking = {
  /** The backends that have failed this request. They do not get it again. */
  readonly failed?: ReadonlySet<Backend> | undefined;
  /** See `choose.ts`. */
  readonly prompt?: Uint8Array | undefined;
  /** The run that made the response that this request continues. Only its replica can take the request. */
  readonly madeBy?: Run | undefined;
  /** The request uses something that a server stores, like a file. All such requests go to the newest replica. */
  readonly goesToNewest?: boolean | undefined;
};

/** A backend takes the request. The lease is already taken; the caller must end it. */
export type Routed = {
  readonly kind: "routed";
  readonly lease: Lease;
  /** Why this replica got it. Undefined if the model has no replicas. */
  readonly decision?: Decision;
  /** True if other replicas may take the request when this one fails it. */
  readonly mayMove: boolean;
  /** The model that the replicas share. Set if `mayMove` is true, even if the request named no model. */
  readonly model?: string;
};

/** Every backend that could take the request has reached its limit of requests in flight. */
export type Saturated = { readonly kind: "saturated" };

export type Route = Routed | Saturated | Nobody;

/**
 * All methods are synchronous: nothing can happen between the choice of a backend and the count. The caller must
 * send the request in the same step in which it takes the lease: there must be no `await` between the two.
 */
export type Routes = {
  /** All active models, sorted by id, each as the newest backend lists it. A new array whenever they change. */
  readonly models: readonly Model[];
  /**
   * Looks up a model without taking a lease.
   *
   * @param name its id, or another name by which its server takes requests: see `names.ts`
   */
  readonly find: (name: string) => ModelLookup;
  /**
   * Takes a lease on a backend that has a model of this name. The newest backend takes all requests. If it is a
   * replica, it shares them with its group.
   */
  readonly route: (name: string, asking?: Asking) => Route;
  /** Says whether another replica of the model could take a request that the backends in `failed` have failed. */
  readonly canMove: (name: string, failed: ReadonlySet<Backend>) => boolean;
  /** For a while, sends no request to this replica that another replica can take. */
  readonly cool: (backend: Backend, ms: number) => void;
  /**
   * Takes a lease for a request that names no model, if only one backend is possible: either only one active
   * backend has models, or there is only one model.
   *
   * @returns undefined if several are possible
   */
  readonly only: (asking?: Asking) => Route | undefined;
  /**
   * Takes a lease if there is only one server. A server that is starting again, unhealthy or paused counts too,
   * because it may store the object that the request is about. A server that is stopping does not count. The
   * replicas of one model count as one server; the newest replica takes the request.
   *
   * @returns undefined if there are several servers
   */
  readonly onlyServer: () => Route | undefined;
  /**
   * Sets the listener for changes after which a waiting request may be routable, or will clearly never be. The
   * listener must be quick and must not throw.
   */
  readonly onChange: (listener: () => void) => void;
  /** How many backends take new requests. */
  readonly activeCount: number;
  /** Takes a lease on the active backend that became routable last. */
  readonly newest: () => Route | undefined;
  /** Takes a lease on the active backend of one run, for any model. */
  readonly routeToRun: (run: Run) => Route;
  /** Says whether one run has a backend, active or draining. */
  readonly hasRun: (run: Run) => boolean;
};
