/**
 * The part of `GET /status` about one replica: how busy it is, how many requests it got and why, and whether it is
 * cooling. Pure. It does not choose replicas.
 */
import type { Backend } from "../routing/backend.ts";
import type { ContainerStatus } from "../status.ts";

export type ReplicaStatus = Pick<ContainerStatus, "load" | "requests_last_minute">;

const NO_REPLICA: ReplicaStatus = { load: null, requests_last_minute: null };

/**
 * @param backend the active backend of a server, if it has one
 * @param nowMs from a clock that never goes back
 */
export function replicaStatus(backend: Backend | undefined, nowMs: number): ReplicaStatus {
  if (backend?.shares === undefined) return NO_REPLICA;
  const { load } = backend;
  return { load: Math.round(load.value * 10) / 10, requests_last_minute: load.lastMinute(nowMs) };
}

const COOLING =
  "it just answered 429 or 503, or could not be reached, so for a few seconds other replicas get requests first";

/** @returns a note to add to its reason; undefined if it is not cooling */
export function coolingNote(backend: Backend | undefined, nowMs: number): string | undefined {
  return backend?.shares !== undefined && backend.load.isCooling(nowMs) ? COOLING : undefined;
}
