/**
 * What `GET /status` shows: the state of the proxy and of each labelled container. The field names
 * are a promise to users. Holds the types, and the one function that puts the parts together. It
 * imports nothing, and does not find out any state itself.
 */

export type Status = {
  readonly version: string;
  /** RFC 3339. */
  readonly started_at: string;
  readonly uptime_seconds: number;
  /** The same as `GET /readyz` tells. */
  readonly ready: boolean;
  /** Requests that a backend is working on. */
  readonly in_flight: number;
  readonly engine: {
    /** As written in DOCKER_HOST. */
    readonly address: string;
    readonly state: ConnectionStatus["state"];
    /** Why the engine can't be reached, and what to do; null if it can be reached. */
    readonly reason: string | null;
    /** RFC 3339; when this state began. */
    readonly since: string;
    /** The API version that we use with the engine; null before its first answer. */
    readonly api_version: string | null;
  };
  /** Sorted by name. */
  readonly containers: readonly ContainerStatus[];
  /** All that `GET /v1/models` lists, and all that requests wait for. Sorted by id. */
  readonly models: readonly ModelStatus[];
};

/** One model as `GET /status` shows it. */
type ModelStatus = {
  readonly id: string;
  /** How many requests wait for it. */
  readonly waiting: number;
};

/** The state of the connection between the proxy and an engine. */
export type ConnectionStatus = {
  /**
   * `connecting`: the engine has not answered since the proxy started. `lost`: it did answer, and
   * does not any more.
   */
  readonly state: "connecting" | "connected" | "lost";
  /** When this state began, ms since the epoch by our own clock. */
  readonly sinceMs: number;
  /**
   * Why the last try failed, and what to do. Undefined while connected, and before the first try
   * has ended.
   */
  readonly reason: string | undefined;
};

/** One container as `GET /status` shows it. */
export type ContainerStatus = {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly reason: string;
  /** RFC 3339; when the proxy first saw the container in this state. */
  readonly since: string;
  /** The origin that its requests go to; null if there is none. */
  readonly address: string | null;
  readonly models: readonly string[];
  readonly in_flight: number;
  /** What its label `inference.max_in_flight` says; null if it has none, or does not run. */
  readonly max_in_flight: number | null;
  /**
   * Requests in flight, and the prompts that it has not begun to answer, in units of 8 KiB; rounded to one
   * decimal. This and the next field are null unless it is routed and has the label `inference.replica`.
   */
  readonly load: number | null;
  readonly requests_last_minute: RequestsLastMinute | null;
};

/** How many requests a replica got in the last minute, by why it got them. */
type RequestsLastMinute = {
  /** It is known to have had the beginning of the prompt. */
  readonly prefix: number;
  /** It was the least busy. */
  readonly load: number;
  /** No other could take the request. */
  readonly only: number;
  /** Another one has failed the request. */
  readonly failover: number;
};

export type StatusInit = {
  readonly version: string;
  readonly startedMs: number;
  readonly engine: {
    /** As written in DOCKER_HOST. */
    readonly address: string;
    /** Undefined before the engine's first answer. */
    readonly apiVersion: string | undefined;
    readonly connection: ConnectionStatus;
  };
  readonly ready: boolean;
  /** Sorted by name. */
  readonly containers: readonly ContainerStatus[];
  /** The models that `GET /v1/models` lists. */
  readonly listed: readonly { readonly id: string }[];
  /** How many requests wait for each model that some wait for, by its id. */
  readonly waiting: ReadonlyMap<string, number>;
};

/** Puts together what `GET /status` shows at `nowMs` (ms since the epoch). */
export function statusOf(
  { version, startedMs, engine, ready, containers, listed, waiting }: StatusInit,
  nowMs: number,
): Status {
  const { state, reason, sinceMs } = engine.connection;
  return {
    version,
    started_at: new Date(startedMs).toISOString(),
    uptime_seconds: Math.max(0, Math.round((nowMs - startedMs) / 1000)),
    ready,
    in_flight: containers.reduce((sum, { in_flight }) => sum + in_flight, 0),
    engine: {
      address: engine.address,
      state,
      reason: reason ?? null,
      since: new Date(sinceMs).toISOString(),
      api_version: engine.apiVersion ?? null,
    },
    containers,
    models: modelsOf(listed, waiting),
  };
}

function modelsOf(
  listed: StatusInit["listed"],
  waiting: StatusInit["waiting"],
): readonly ModelStatus[] {
  const ids = new Set(listed.map(({ id }) => id));
  for (const id of waiting.keys()) ids.add(id);
  return [...ids].sort().map((id) => ({ id: shown(id), waiting: waiting.get(id) ?? 0 }));
}

/** A list of longer ids would be megabytes. */
const ID_LENGTH_MAX = 1_000;

function shown(id: string): string {
  return id.length > ID_LENGTH_MAX ? `${id.slice(0, ID_LENGTH_MAX)}…` : id;
}
