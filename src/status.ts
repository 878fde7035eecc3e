/**
 * The answer of `GET /status`: the state of the proxy and of each labelled container. The field names are a
 * promise to users. This file holds only types and imports nothing.
 */

export type Status = {
  readonly version: string;
  /** RFC 3339. */
  readonly started_at: string;
  readonly uptime_seconds: number;
  /** The same as in `GET /readyz`. */
  readonly ready: boolean;
  /** Requests that a backend is working on. */
  readonly in_flight: number;
  readonly engine: {
    /** As written in DOCKER_HOST. */
    readonly address: string;
    readonly state: ConnectionStatus["state"];
    /** Why the proxy cannot reach the engine, and what to do; null if it can. */
    readonly reason: string | null;
    /** RFC 3339; when this state began. */
    readonly since: string;
    /** The API version that the proxy uses with the engine; null before the engine's first answer. */
    readonly api_version: string | null;
  };
  /** Sorted by name. Includes the tasks of a swarm. */
  readonly containers: readonly ContainerStatus[];
  /** Null if the engine is not a manager of a swarm. */
  readonly swarm: SwarmStatus | null;
  /**
   * All models that `GET /v1/models` lists, that requests wait for, or that requests asked for in the last
   * hour. Sorted by id.
   */
  readonly models: readonly ModelStatus[];
  /** For all requests together, even without a known model. Null if there were none in the last hour. */
  readonly recent: Recent | null;
  /** The last changes, the latest first: at most 100. */
  readonly changes: readonly Change[];
  /** How many entries were left out to keep the answer below its size limit. */
  readonly left_out: LeftOut;
};

/** The state of the swarm that the engine manages. */
export type SwarmStatus = {
  /**
   * `followed`: the proxy reads its tasks. `lost`: the manager does not report them now, and the proxy keeps
   * the last known tasks. `forbidden`: a socket proxy blocks these requests, and some local containers belong
   * to tasks. The proxy routes these as containers.
   */
  readonly state: "followed" | "lost" | "forbidden";
  /** Why the proxy does not follow it, and what to do; null if it does. */
  readonly reason: string | null;
  /** RFC 3339; when this state began. */
  readonly since: string;
  /** The services with an `inference.` label, sorted by name. */
  readonly services: readonly ServiceStatus[];
};

/** One service of a swarm. */
export type ServiceStatus = {
  readonly id: string;
  readonly name: string;
  /** How many tasks it should have; null for one on each node. */
  readonly replicas: number | null;
  /** How many of its tasks take requests. */
  readonly routed: number;
  /** The progress of an update: `updating 2 of 3`, `rollback` or `paused: …`; null without an update. */
  readonly update: string | null;
  /** Why tasks are missing or the service is not routed, and what to do; empty if nothing is wrong. */
  readonly reason: string;
  /** The tasks that run or should run, by slot. */
  readonly tasks: readonly TaskStatus[];
};

/** One task of a service. */
export type TaskStatus = {
  readonly id: string;
  /**
   * The same name as in `containers`: `service.slot`, or `service.hostname` for a service with one task on
   * each node.
   */
  readonly name: string;
  /** Host name of its node; null if it has no node yet. */
  readonly node: string | null;
  /** Its state in Swarm: `pending`, `running` … */
  readonly state: string;
  /** The state that Swarm wants: `running`, `shutdown` … */
  readonly desired_state: string;
  /** Why it is missing, and what to do; empty if it is not. */
  readonly reason: string;
};

/** One model as `GET /status` shows it. */
export type ModelStatus = {
  readonly id: string;
  /** The number of requests that wait for it. */
  readonly waiting: number;
  /** Requests for it that a backend is working on. */
  readonly in_flight: number;
  /** The containers that have it, the newest first. */
  readonly servers: readonly ModelServer[];
  /** Null if no request asked for it in the last hour. */
  readonly recent: Recent | null;
};

/** One container that has a model. */
export type ModelServer = {
  /** Its name. */
  readonly container: string;
  /**
   * Which of the model's new requests it gets. `all`: every request. `shares`: it shares them with other
   * replicas. `none`: a newer container has the model too, or it takes no new requests.
   */
  readonly gets: "all" | "shares" | "none";
};

/** The results of the recent requests, for one model, one container, or all. */
export type Recent = {
  readonly last_5_minutes: RecentWindow;
  readonly last_hour: RecentWindow;
  /** Requests per 10 s in the last 5 minutes, the oldest first: 30 numbers. */
  readonly requests_per_10_seconds: readonly number[];
};

export type RecentWindow = {
  /** The requests that have ended. A WebSocket counts at its end. */
  readonly requests: number;
  /**
   * The requests with a status of 400 or more or an incomplete answer. A request whose client left does not
   * count.
   */
  readonly failed: number;
  /** Requests by status class: `2xx`. Leaves out classes without requests. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Failed requests by the `error.code` of the proxy, or by the way their answer ended: `client_gone`. */
  readonly errors: Readonly<Record<string, number>>;
  /** Time to the first piece of streamed answers; null if there were none. */
  readonly first_chunk_ms: { readonly p50: number; readonly p95: number } | null;
  /** The average pieces per second of streamed answers; null if there were none. */
  readonly pieces_per_second: number | null;
  /**
   * The average tokens per second of the streamed answers that report their tokens; null if there were none.
   */
  readonly tokens_per_second: number | null;
  /** Tokens of all answers that report them. */
  readonly input_tokens: number;
  readonly output_tokens: number;
};

/** One change. */
export type Change = {
  /** RFC 3339. The last time, if the change has repeated. */
  readonly at: string;
  readonly what: "proxy" | "engine" | "container";
  /** The container's name, the engine's address, or `lw-inference-proxy`. */
  readonly name: string;
  /** The new state, or `models changed`. */
  readonly state: string;
  /** In words; may be empty. */
  readonly reason: string;
  /** How often this change has come. */
  readonly times: number;
};

type LeftOut = {
  readonly containers: number;
  readonly services: number;
  readonly models: number;
  readonly changes: number;
  /** True if details of single containers, services, models or changes are left out. */
  readonly details: boolean;
};

/** The state of the connection between the proxy and an engine. */
export type ConnectionStatus = {
  /**
   * `connecting`: the engine has not answered since the proxy started. `lost`: it answered before, but does
   * not now.
   */
  readonly state: "connecting" | "connected" | "lost";
  /** When this state began, ms since the epoch by our own clock. */
  readonly sinceMs: number;
  /**
   * Why the last attempt failed, and what to do. Undefined while connected and before the first attempt has
   * ended.
   */
  readonly reason: string | undefined;
};

/** The longest container name that is shown. Real names are shorter. */
export const NAME_LENGTH_MAX = 200;

/** One container as `GET /status` shows it. */
export type ContainerStatus = {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly reason: string;
  /** RFC 3339; when the proxy first saw the container in this state. */
  readonly since: string;
  /** The origin that the proxy sends its requests to; null if there is none. */
  readonly address: string | null;
  /** Its models, or only the first ones if there are too many. */
  readonly models: readonly string[];
  /** How many models it has. */
  readonly model_count: number;
  readonly in_flight: number;
  /** The value of its label `inference.max_in_flight`; null if it has no such label or does not run. */
  readonly max_in_flight: number | null;
  /**
   * Requests in flight, plus the prompts that it has not begun to answer in units of 8 KiB; rounded to one
   * decimal. This and the next field are null unless it is routed and has the label `inference.replica`.
   */
  readonly load: number | null;
  readonly requests_last_minute: RequestsLastMinute | null;
  /** How its last run ended; null if the proxy has not seen the end of a run. */
  readonly last_exit: LastExit | null;
  /** True if it has ended repeatedly before it was healthy. */
  readonly crash_loop: boolean;
  /** Null if it got no request in the last hour. */
  readonly recent: Recent | null;
};

/** How a run of a container ended. */
export type LastExit = {
  /** Continues a sentence that begins with the container's name: `ran out of memory (exit code 137)`. */
  readonly reason: string;
  /** RFC 3339, by the engine's clock; null if unknown. */
  readonly at: string | null;
};

/** How many requests a replica got in the last minute, by reason. */
type RequestsLastMinute = {
  /** It has received the beginning of the prompt before. */
  readonly prefix: number;
  /** It was the least busy. */
  readonly load: number;
  /** No other replica could take the request. */
  readonly only: number;
  /** Another replica failed the request. */
  readonly failover: number;
};
