/** Builds the answer of `GET /status`. It does not look up any state itself. */
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
  /** Model id → number of waiting requests, for models with waiting requests. */
  readonly waiting: ReadonlyMap<string, number>;
  /** Null if the engine is not a manager of a swarm. */
  readonly swarm?: SwarmStatus | null;
  /** The latest first. */
  readonly changes?: readonly Change[];
  /**
   * The containers that have a model, the newest first.
   *
   * @param id the id in the model list
   * @param countMax the most containers to return
   */
  readonly serversOf?: (id: string, countMax: number) => readonly ModelServer[];
  /** How many requests for a model a backend is working on. */
  readonly inFlightOf?: (id: string) => number;
  /** The results of the requests for a model; null if there were none in the last hour. */
  readonly recentOf?: (id: string) => Recent | null;
  /** The same for all requests. */
  readonly recentOfAll?: () => Recent | null;
  /** The ids of the models that requests asked for in the last hour. */
  readonly recentModels?: () => Iterable<string>;
};

/** Builds the answer of `GET /status` at `nowMs` (ms since the epoch). */
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

/** The most servers of all models together. More never fit into the answer. */
const SERVERS_MAX = 65_536;

/** The most models. An entry takes at least 60 bytes, so no more fit into the answer. */
const MODELS_MAX = 4_369;

type Models = {
  readonly models: readonly ModelStatus[];
  /** True if the list of servers of some model is cut. */
  readonly isCut: boolean;
  readonly leftOut: number;
};

function modelsOf(init: StatusInit): Models {
  const { waiting, serversOf, inFlightOf, recentOf } = init;
  const { ids, leftOut } = idsOf(init);
  const serversMax = Math.floor(SERVERS_MAX / ids.length); // at least 15
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

/** Prefers models that requests ask for. A server may list 10,000 models that no client uses. */
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

/** A list of longer ids would take megabytes. */
const ID_LENGTH_MAX = 1_000;

function shown(id: string): string {
  return id.length > ID_LENGTH_MAX ? `${id.slice(0, ID_LENGTH_MAX)}…` : id;
}
