/**
 * Collects what the proxy shows about itself: for `GET /status`, for metrics, and for the service discovery of
 * Prometheus. Only reads, changes nothing.
 */
import type { Config } from "./config.ts";
import type { Engine } from "./engine/engine.ts";
import { showAddress } from "./engine/error.ts";
import type { Fleet } from "./fleet/fleet.ts";
import { VERSION } from "./process/version.ts";
import type { ScrapeTarget } from "./proxy/own/scrape-targets.ts";
import type { WaitingRoom } from "./proxy/waiting-room.ts";
import type { RoutingTable } from "./routing/table.ts";
import type { DockerSource } from "./sources/docker/docker.ts";
import type { SwarmSource } from "./sources/swarm/swarm.ts";
import type { Status } from "./status.ts";
import { statusOf } from "./status-of.ts";
import type { Changes } from "./telemetry/changes.ts";
import type { Observed } from "./telemetry/instruments.ts";
import type { Recent } from "./telemetry/recent.ts";

type StatusParts = {
  readonly startedMs: number;
  readonly config: Config;
  readonly engine: Engine;
  readonly docker: DockerSource;
  readonly swarm: SwarmSource;
  readonly fleet: Fleet;
  readonly table: RoutingTable;
  readonly waitingRoom: WaitingRoom;
  readonly changes: Changes;
  readonly recent: Recent;
};

/** The current answer of `GET /status`. */
export function status(parts: StatusParts): Status {
  const { startedMs, config, engine, docker, swarm, fleet, table, waitingRoom } = parts;
  const { changes, recent } = parts;
  const { apiVersion } = engine;
  const connection = docker.connection.status;
  return statusOf(
    {
      version: VERSION,
      startedMs,
      engine: { address: showAddress(config.engine), apiVersion, connection },
      ready: fleet.isReady,
      containers: fleet.members,
      swarm: swarm.status,
      listed: table.models,
      waiting: waitingRoom.counts,
      serversOf: (id, countMax) => fleet.serversOf(id, countMax),
      changes: changes.latest,
      inFlightOf: (id) => recent.inFlightOf(id),
      recentOf: (id) => recent.ofModel(id),
      recentOfAll: () => recent.ofAll,
      recentModels: () => recent.models,
    },
    Date.now(),
  );
}

/** What the metrics show of these parts. The parts are created after telemetry, but before its first read. */
export function observedOf(parts: () => Pick<StatusParts, "table" | "fleet" | "docker">): Observed {
  return {
    activeBackends: () => parts().table.activeCount,
    backendLoads: () =>
      parts().table.replicas.map(({ name, load }) => ({ name, load: load.value })),
    modelBackends: () => parts().table.takers,
    containers: () => parts().fleet.members,
    isEngineConnected: () => isConnected(parts()),
  };
}

type Seen = Pick<StatusParts, "fleet" | "docker">;

function isConnected({ docker }: Pick<Seen, "docker">): boolean {
  return docker.connection.status.state === "connected";
}

/** The servers whose own metrics Prometheus can read; undefined while the proxy does not know all servers. */
export function scrapeTargets({ fleet, docker }: Seen): readonly ScrapeTarget[] | undefined {
  if (!fleet.isReady || !isConnected({ docker })) return undefined;
  return fleet.members.flatMap(({ id, name, state, address, models }) =>
    state === "routed" && address !== null ? [{ id, name, origin: address, models }] : [],
  );
}
