/**
 * What a request may do with the routing table: look up a model, and take a lease on a backend. Holds the
 * types of that face alone; what changes the table is the fleet's, in `table.ts`.
 */
import type { Backend, Lease, Model } from "./backend.ts";
import type { Asking } from "./choose.ts";
import type { Run } from "./run.ts";

/** What keeps a server from taking requests, where that is known. */
export type Trouble =
  | "paused"
  | "unhealthy"
  | "stopping"
  /** It runs, but its setup makes it impossible to route. */
  | "misconfigured";

/** Why nobody takes a request for a model. */
export type Nobody =
  /** All who serve it take no new request. */
  | {
      readonly kind: "draining";
      /** What keeps all of them from it, if that is the same. */
      readonly trouble?: Trouble | undefined;
    }
  /** Nobody serves it, but who did runs on, or it starts: again, or another one of its name. */
  | {
      readonly kind: "unavailable";
      /** What keeps all of them from serving it, if that is the same. */
      readonly trouble?: Trouble | undefined;
    }
  | { readonly kind: "unknown" };

/** What is known of a model. */
export type ModelLookup =
  | { readonly kind: "live"; readonly model: Model }
  /** `id` is the one under which it is listed when somebody serves it. */
  | (Exclude<Nobody, { readonly kind: "unknown" }> & { readonly id: string })
  | Extract<Nobody, { readonly kind: "unknown" }>;

/** Who takes a request: the lease is taken already, and must be ended. */
export type Route = { readonly kind: "routed"; readonly lease: Lease } | Nobody;

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
   * Takes a lease on the first backend that has the model by this name and gives one, in the order of
   * `choose()`.
   */
  readonly route: (name: string, asking?: Asking<Backend>) => Route;
  /**
   * Takes a lease for a request that names no model, if there is no doubt where it belongs: only one
   * backend that has models is active, or only one model.
   */
  readonly only: () => Lease | undefined;
  /**
   * Takes a lease on the only server there is. One that is starting again, unhealthy or paused counts as a
   * server too, since it may have made what a request is about; one that is stopping does not.
   */
  readonly onlyServer: () => Lease | undefined;
  /** How many backends take new requests. */
  readonly activeCount: number;
  /** Takes a lease on the active backend that became routable last. */
  readonly newest: () => Lease | undefined;
  /** Takes a lease on the active backend of one run, whatever its models. */
  readonly routeToRun: (run: Run) => Route;
  /** Says whether there is a backend of one run, active or draining. */
  readonly hasRun: (run: Run) => boolean;
};
