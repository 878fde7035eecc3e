/**
 * What `GET /status` shows: how the proxy and each labelled container are. Field names are a promise. Only
 * types and the one function that puts the parts together: this file imports nobody.
 */

export type Status = {
  readonly version: string;
  /** RFC 3339. */
  readonly started_at: string;
  readonly uptime_seconds: number;
  /** As `GET /readyz`. */
  readonly ready: boolean;
  /** Requests that are with a backend. */
  readonly in_flight: number;
  readonly engine: {
    /** As in DOCKER_HOST. */
    readonly address: string;
    readonly state: ConnectionStatus["state"];
    /** Why it can't be reached, and what to do; null if it can. */
    readonly reason: string | null;
    /** RFC 3339; when this state began. */
    readonly since: string;
    /** The version of its API that is spoken; null before its first answer. */
    readonly api_version: string | null;
  };
  /** By name. */
  readonly containers: readonly ContainerStatus[];
};

/** How it stands between the proxy and an engine. */
export type ConnectionStatus = {
  /** `connecting`: since the start no answer has come. `lost`: there was one, and there is none now. */
  readonly state: "connecting" | "connected" | "lost";
  /** When this state began, ms since the epoch by our own clock. */
  readonly sinceMs: number;
  /** What the last try came to, and what to do; undefined when connected, or before the first try ends. */
  readonly reason: string | undefined;
};

/** One container as `GET /status` shows it. */
export type ContainerStatus = {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly reason: string;
  /** RFC 3339; when the proxy first saw it in this state. */
  readonly since: string;
  /** Where its requests go; null if there is no such place. */
  readonly address: string | null;
  readonly models: readonly string[];
  readonly in_flight: number;
};

export type StatusInit = {
  readonly version: string;
  readonly startedMs: number;
  readonly engine: {
    /** As in DOCKER_HOST. */
    readonly address: string;
    /** Undefined before its first answer. */
    readonly apiVersion: string | undefined;
    readonly connection: ConnectionStatus;
  };
  readonly ready: boolean;
  /** By name. */
  readonly containers: readonly ContainerStatus[];
};

/** What it is now. */
export function statusOf(
  { version, startedMs, engine, ready, containers }: StatusInit,
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
  };
}
