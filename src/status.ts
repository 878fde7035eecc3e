/**
 * What `GET /status` shows: the state of the proxy and of each labelled container. The field names
 * are a promise to users. Holds the types alone, and imports nothing.
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
  /** Sorted by name. The tasks of a swarm are among them. */
  readonly containers: readonly ContainerStatus[];
  /** Null if the engine is in no swarm, or is not a manager of it. */
  readonly swarm: SwarmStatus | null;
  /**
   * All that `GET /v1/models` lists, that requests wait for, or that requests have asked for within the last
   * hour. Sorted by id.
   */
  readonly models: readonly ModelStatus[];
  /** Of all requests together, also those for no known model. Null if there were none in the last hour. */
  readonly recent: Recent | null;
  /** The last changes, the latest first: 100 at most. */
  readonly changes: readonly Change[];
  /** How many were left out so that the whole stays below its limit. */
  readonly left_out: LeftOut;
};

/** How it stands with the swarm that the engine is a manager of. */
export type SwarmStatus = {
  /**
   * `followed`: its tasks are read. `lost`: the manager does not tell of them now, and what is known is kept. `forbidden`:
   * a socket proxy does not let us ask, and containers here belong to tasks: they are routed as containers.
   */
  readonly state: "followed" | "lost" | "forbidden";
  /** Why it is not followed, and what to do; null if it is. */
  readonly reason: string | null;
  /** RFC 3339; when this state began. */
  readonly since: string;
  /** Those with a label of ours, sorted by name. */
  readonly services: readonly ServiceStatus[];
};

/** One service of a swarm. */
export type ServiceStatus = {
  readonly id: string;
  readonly name: string;
  /** How many tasks it is to have; null if it has one on each node. */
  readonly replicas: number | null;
  /** How many of its tasks take requests. */
  readonly routed: number;
  /** What becomes of its last update, as `updating 2 of 3`, `rollback` or `paused: …`; null if nothing is going on. */
  readonly update: string | null;
  /** Why tasks are missing, or why it is not routed, and what to do; empty if nothing is wrong. */
  readonly reason: string;
  /** Those that run or are to run, by slot. */
  readonly tasks: readonly TaskStatus[];
};

/** One task of a service. */
export type TaskStatus = {
  readonly id: string;
  /** As among `containers`: `service.slot`, or `service.hostname` where it has one on each node. */
  readonly name: string;
  /** Host name of its node; null if it has none yet. */
  readonly node: string | null;
  /** The state that Swarm gives it: `pending`, `running` … */
  readonly state: string;
  /** The state that Swarm wants: `running`, `shutdown` … */
  readonly desired_state: string;
  /** Why it is not there, and what to do; empty if it is. */
  readonly reason: string;
};

/** One model as `GET /status` shows it. */
export type ModelStatus = {
  readonly id: string;
  /** How many requests wait for it. */
  readonly waiting: number;
  /** Requests for it that a backend is working on. */
  readonly in_flight: number;
  /** The containers that have it, the newest first. */
  readonly servers: readonly ModelServer[];
  /** Null if nobody has asked for it in the last hour. */
  readonly recent: Recent | null;
};

/** One container that has a model. */
export type ModelServer = {
  /** Its name. */
  readonly container: string;
  /**
   * Which of the model's new requests it gets: `all`, those that it `shares` with other replicas, or `none`: a
   * newer container has the model too, or it takes no new request.
   */
  readonly gets: "all" | "shares" | "none";
};

/** What became of the requests of the last minutes, for one model, one container, or all. */
export type Recent = {
  readonly last_5_minutes: RecentWindow;
  readonly last_hour: RecentWindow;
  /** Requests in each 10 s of the last 5 minutes, the oldest first: 30 numbers. */
  readonly requests_per_10_seconds: readonly number[];
};

export type RecentWindow = {
  /** Those that have ended. A WebSocket counts at its end. */
  readonly requests: number;
  /** Those with a status of 400 or more, or whose answer did not come to its end; not those whose client left. */
  readonly failed: number;
  /** Requests by the class of their status: `2xx`. Classes without any are left out. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Requests by the `error.code` that the proxy gave them, or what became of their answer: `client_gone`. */
  readonly errors: Readonly<Record<string, number>>;
  /** To the first piece of streamed answers; null if there were none. */
  readonly first_chunk_ms: { readonly p50: number; readonly p95: number } | null;
  /** How many pieces a second a streamed answer had, on the average; null if there were none. */
  readonly pieces_per_second: number | null;
  /** The same for the tokens of those streamed answers that have said how many they had. */
  readonly tokens_per_second: number | null;
  /** Tokens of all answers that have said how many they had. */
  readonly input_tokens: number;
  readonly output_tokens: number;
};

/** Something that has changed. */
export type Change = {
  /** RFC 3339. Of something that has come again and again: the last time. */
  readonly at: string;
  readonly what: "proxy" | "engine" | "container";
  /** The container's name, the engine's address, or `lw-inference-proxy`. */
  readonly name: string;
  /** The state that it has come to, or `models changed`. */
  readonly state: string;
  /** In words; empty if there is nothing to say. */
  readonly reason: string;
  /** How often the same has come since the first time. */
  readonly times: number;
};

type LeftOut = {
  readonly containers: number;
  readonly services: number;
  readonly models: number;
  readonly changes: number;
  /** True if something is left out of single containers, services, models or changes. */
  readonly details: boolean;
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

/** The longest name of a container. No engine gives one that long. */
export const NAME_LENGTH_MAX = 200;

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
  /** The first of its models: all, unless that would be too much. */
  readonly models: readonly string[];
  /** How many it has in all. */
  readonly model_count: number;
  readonly in_flight: number;
  /** What its label `inference.max_in_flight` says; null if it has none, or does not run. */
  readonly max_in_flight: number | null;
  /**
   * Requests in flight, and the prompts that it has not begun to answer, in units of 8 KiB; rounded to one
   * decimal. This and the next field are null unless it is routed and has the label `inference.replica`.
   */
  readonly load: number | null;
  readonly requests_last_minute: RequestsLastMinute | null;
  /** How its last run ended; null if the proxy has not seen it end. */
  readonly last_exit: LastExit | null;
  /** It has ended again and again before it was healthy. */
  readonly crash_loop: boolean;
  /** Null if it got no request in the last hour. */
  readonly recent: Recent | null;
};

/** How a run of a container ended. */
export type LastExit = {
  /** Goes on after the container's name: `ran out of memory (exit code 137)`. */
  readonly reason: string;
  /** RFC 3339, by the engine's clock; null if it is not known. */
  readonly at: string | null;
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
