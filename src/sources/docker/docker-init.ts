/** The constructor arguments of `DockerSource`. Types only. */
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
  /** How long requests may continue after a stop notice, ms. No stop notice lapses earlier. */
  readonly drainTimeoutMs: number;
  /** What we know about the proxy itself. */
  readonly own: OwnInit;
  readonly times?: Times;
  /** The follower of swarm tasks, if there is one. */
  readonly tasks?: TaskFollower | undefined;
  /** Called when the state of the connection to the engine changes; must be quick. */
  readonly onConnection?: ((status: ConnectionStatus) => void) | undefined;
};

/** Follows the tasks of a swarm if the engine is a manager. Then it is responsible for their containers. */
export type TaskFollower = {
  /** True while it is responsible for the containers of tasks. */
  readonly takesTasks: boolean;
  /** Resolves when it knows whether it takes tasks, or when its first attempt to find out has failed. */
  readonly decided: Promise<void>;
  /** The event stream of the engine has been opened, for the first time or again. */
  readonly onStreamOpen: () => void;
  readonly onSwarmEvent: (event: SwarmEvent) => void;
  /** @param event an event of a container that belongs to a task */
  readonly onTaskEvent: (event: ContainerEvent) => void;
  /** A container of the engine belongs to a task. */
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
  /** Where the proxy listens. */
  readonly listening: Listening;
  /** See `Itself`. */
  readonly program: string;
};

/** All in ms. */
export type Times = FollowTimes & {
  /**
   * During this time after the event stream has opened, the source looks at no container and the fleet
   * admits no backend.
   */
  readonly settleMs?: number;
  /** The minimum time between two looks at one container. */
  readonly lookPaceMs?: number;
  /** See `OwnPlaceInit`. */
  readonly refusedMs?: number;
};
