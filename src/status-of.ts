/** Puts together what `GET /status` shows. It does not find out any state itself. */
import type {
  Change,
  ConnectionStatus,
  ContainerStatus,
  ModelServer,
  ModelStatus,
  Recent,
  Status,
  SwarmStatus,
} from "./status.ts";

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
  /** Null if the engine is no manager of a swarm. */
  readonly swarm?: SwarmStatus | null;
  /** The latest first. */
  readonly changes?: readonly Change[];
  /**
   * The containers that have a model, the newest first.
   *
   * @param id the one under which it is listed
   * @param countMax the most that are told
   */
  readonly serversOf?: (id: string, countMax: number) => readonly ModelServer[];
  /** How many requests for a model a backend is working on. */
  readonly inFlightOf?: (id: string) => number;
  /** What became of the requests for a model; null if there were none in the last hour. */
  readonly recentOf?: (id: string) => Recent | null;
  /** The same of all requests. */
  readonly recentOfAll?: () => Recent | null;
  /** The models that requests have asked for within the last hour, by their ids. */
  readonly recentModels?: () => Iterable<string>;
};

/** Puts together what `GET /status` shows at `nowMs` (ms since the epoch). */
export function statusOf(init: StatusInit, nowMs: number): Status {
  const { version, startedMs, engine, ready, containers, changes = [], recentOfAll } = init;
  const { state, reason, sinceMs } = engine.connection;
  const { models, isCut, leftOut } = modelsOf(init);
  const isListCut = containers.some((container) => container.models.length < container.model_count);
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
    swarm: init.swarm ?? null,
    models,
    recent: recentOfAll?.() ?? null,
    changes,
    left_out: {
      ...{ containers: 0, services: 0, models: leftOut, changes: 0 },
      details: isCut || isListCut,
    },
  };
}

/** The most servers of all models together. More never fit. */
const SERVERS_MAX = 65_536;

/** The most models. An entry takes 60 bytes and more: no more of them fit either. */
const MODELS_MAX = 4_369;

type Models = {
  readonly models: readonly ModelStatus[];
  /** Some have more servers than they show. */
  readonly isCut: boolean;
  readonly leftOut: number;
};

function modelsOf(init: StatusInit): Models {
  const { waiting, serversOf, inFlightOf, recentOf } = init;
  const { ids, leftOut } = idsOf(init);
  const serversMax = Math.floor(SERVERS_MAX / ids.length); // 15 at least
  let isCut = false;
  const models = ids.map((id): ModelStatus => {
    const servers = serversOf?.(id, serversMax + 1) ?? [];
    isCut ||= servers.length > serversMax;
    return {
      id: shown(id),
      waiting: waiting.get(id) ?? 0,
      in_flight: inFlightOf?.(id) ?? 0,
      servers: servers.slice(0, serversMax),
      recent: recentOf?.(id) ?? null,
    };
  });
  return { models, isCut, leftOut };
}

/** Those that somebody has asked for come first; a server may list 10,000 that nobody uses. */
function idsOf({ listed, waiting, recentModels }: StatusInit): {
  readonly ids: readonly string[];
  readonly leftOut: number;
} {
  const ids = new Set([...waiting.keys(), ...(recentModels?.() ?? [])]);
  const asked = ids.size;
  let alsoListed = 0;
  for (const { id } of listed) {
    if (ids.has(id)) alsoListed += 1;
    else if (ids.size < MODELS_MAX) {
      ids.add(id);
      alsoListed += 1;
    }
  }
  const leftOut = listed.length - alsoListed;
  const sorted = [...ids].sort();
  return asked <= MODELS_MAX
    ? { ids: sorted, leftOut }
    : { ids: sorted.slice(0, MODELS_MAX), leftOut: leftOut + asked - MODELS_MAX };
}

/** A list of longer ids would be megabytes. */
const ID_LENGTH_MAX = 1_000;

function shown(id: string): string {
  return id.length > ID_LENGTH_MAX ? `${id.slice(0, ID_LENGTH_MAX)}…` : id;
}
