/** What the source of one engine is given when it is made: types alone. */
import type { EngineClock } from "../../engine/clock.ts";
import type { Engine } from "../../engine/engine.ts";
import type { ContainerEvent, SwarmEvent } from "../../engine/events.ts";
import type { ConnectionStatus } from "../../status.ts";
import type { Log } from "../../telemetry/log.ts";
import type { SightingListener, Source } from "../sighting.ts";
import type { FollowTimes } from "./follow.ts";
import type { Listening } from "./itself.ts";
import type { OwnPlaceInit } from "./own-place.ts";

export type DockerSourceInit = {
  readonly engine: EngineReader;
  readonly fleet: { readonly join: (source: Source) => SightingListener };
  readonly log: Log;
  /** How long requests may go on after a stop notice, ms. No stop notice lapses sooner. */
  readonly drainTimeoutMs: number;
  /** What we know of the proxy itself. */
  readonly own: OwnInit;
  readonly times?: Times;
  /** Who follows the tasks of a swarm; undefined if nobody does. */
  readonly tasks?: TaskFollower | undefined;
  /** Called when the connection to the engine has another state; must be quick. */
  readonly onConnection?: ((status: ConnectionStatus) => void) | undefined;
};

/** Who follows the tasks of a swarm, if the engine is a manager of one. Their containers are left to it then. */
export type TaskFollower = {
  /** Containers of tasks are to be left to it. */
  readonly takesTasks: boolean;
  /** Resolves when it is known whether it takes them, or when the first try to find that out has failed. */
  readonly decided: Promise<void>;
  /** The event stream of the engine has been opened, for the first time or again. */
  readonly onStreamOpen: () => void;
  readonly onSwarmEvent: (event: SwarmEvent) => void;
  /** @param event of a container that belongs to a task */
  readonly onTaskEvent: (event: ContainerEvent) => void;
  /** Some container of the engine belongs to a task. */
  readonly sawTaskContainer: () => void;
};

/** The calls to the engine that this source makes. */
type EngineReader = Pick<Engine, "list" | "inspect" | "openEvents"> & {
  readonly clock: Pick<EngineClock, "nowMs">;
};

type OwnInit = Pick<OwnPlaceInit, "lookUpHost" | "remote"> & {
  /** The id of the container that the proxy runs in; undefined if it runs in none. */
  readonly containerId: string | undefined;
  /** The addresses of our network interfaces, canonical (see `canonicalAddress`). */
  readonly addresses: () => readonly string[];
  /** Where the proxy takes requests. */
  readonly listening: Listening;
  /** See `Itself`. */
  readonly program: string;
};

/** All in ms. */
export type Times = FollowTimes & {
  /**
   * For this long after the event stream has opened, the source looks at no container and the fleet
   * admits no backend.
   */
  readonly settleMs?: number;
  /** The least time from one look at a container to the next. */
  readonly lookPaceMs?: number;
  /** See `OwnPlaceInit`. */
  readonly refusedMs?: number;
};
