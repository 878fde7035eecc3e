/** What `GET /status` shows: how the proxy and each labelled container are. Field names are a promise. */

import type { Engine } from "./engine/engine.ts";
import { type EngineAddress, showAddress } from "./engine/error.ts";
import type { Controller } from "./fleet/controller.ts";
import type { ContainerStatus } from "./fleet/report.ts";
import { VERSION } from "./process/version.ts";
import type { ConnectionStatus, EngineConnection } from "./sources/docker/connection.ts";

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

export type StatusInit = {
  readonly startedMs: number;
  readonly address: EngineAddress;
  readonly engine: Pick<Engine, "apiVersion">;
  readonly connection: Pick<EngineConnection, "status">;
  readonly controller: Pick<Controller, "isReady" | "containers">;
};

/** What it is now. */
export function statusOf(init: StatusInit, nowMs: number): Status {
  const { startedMs, address, engine, connection, controller } = init;
  const { containers, isReady } = controller;
  const { state, reason, sinceMs } = connection.status;
  return {
    version: VERSION,
    started_at: new Date(startedMs).toISOString(),
    uptime_seconds: Math.max(0, Math.round((nowMs - startedMs) / 1000)),
    ready: isReady,
    in_flight: containers.reduce((sum, { in_flight }) => sum + in_flight, 0),
    engine: {
      address: showAddress(address),
      state,
      reason: reason ?? null,
      since: new Date(sinceMs).toISOString(),
      api_version: engine.apiVersion ?? null,
    },
    containers,
  };
}
