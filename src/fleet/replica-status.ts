/**
 * What `GET /status` shows of one replica: how busy it is, how many requests it got and why, and whether it is
 * left alone just now. Pure. It chooses nobody.
 */
import type { Backend } from "../routing/backend.ts";
import type { ContainerStatus } from "../status.ts";

export type ReplicaStatus = Pick<ContainerStatus, "load" | "requests_last_minute">;

const NO_REPLICA: ReplicaStatus = { load: null, requests_last_minute: null };

/**
 * @param backend the active one of a server, if it has one
 * @param nowMs by a clock that never goes back
 */
export function replicaStatus(backend: Backend | undefined, nowMs: number): ReplicaStatus {
  if (backend?.shares === undefined) return NO_REPLICA;
  const { load } = backend;
  return { load: Math.round(load.value * 10) / 10, requests_last_minute: load.lastMinute(nowMs) };
}

const COOLING =
  "it answered 429 or 503 or could not be reached just now, so other replicas are asked first for a few seconds";

/** @returns what is to be added to its reason; undefined if there is nothing to say */
export function coolingNote(backend: Backend | undefined, nowMs: number): string | undefined {
  return backend?.shares !== undefined && backend.load.isCooling(nowMs) ? COOLING : undefined;
}
