/** What the states of a task mean to us, and how it has ended. Pure. Source: swarmkit `task_model.md`. */
import type { SwarmTask } from "../../engine/swarm.ts";
import type { RunEnd } from "../../routing/run.ts";

/** A task never leaves one of these. */
const FINAL: ReadonlySet<string> = new Set([
  "complete",
  "shutdown",
  "failed",
  "rejected",
  "remove",
  "orphaned",
]);

/** Its container is there. */
const HAS_CONTAINER: ReadonlySet<string> = new Set(["starting", "running"]);

/** What a task is to come to if it is to run: `ready` for one that is prepared to take the place of another. */
const WANTED: ReadonlySet<string> = new Set(["running", "ready", "accepted"]);

export function hasEnded({ state }: SwarmTask): boolean {
  return FINAL.has(state);
}

/** Its container has been made, and may listen. */
export function hasStarted({ state }: SwarmTask): boolean {
  return HAS_CONTAINER.has(state);
}

/**
 * The decision to stop it has been taken: its process hears of it 2 to 5 s later, and `state` says `running` until the
 * process has ended, on a dead node for ever.
 */
export function isToStop({ desiredState }: SwarmTask): boolean {
  return !WANTED.has(desiredState);
}

/**
 * Its process hears of its stop 3 s after the decision. On no network of Swarm's it is only 1 s: there is no DNS to be told
 * first. Source: facts of issue 20, section 0.
 */
export function hasLongNotice({ networks }: SwarmTask): boolean {
  return networks.length > 0;
}

/** It has passed its health check, if it has one. */
export function isRunning({ state, desiredState }: SwarmTask): boolean {
  return state === "running" && desiredState === "running";
}

const SIGKILL_CODE = 137;

/** What Swarm has stopped; what ends by itself is `complete` or `failed`, and is not wanted to run any more either. */
const STOPPED: ReadonlySet<string> = new Set(["shutdown", "remove"]);

/** How a task that has ended did so. */
export function endOf(task: SwarmTask): RunEnd {
  const { state, error, exitCode = 0, stateSinceMs } = task;
  const atMs = Number.isNaN(stateSinceMs) ? undefined : stateSinceMs;
  if (STOPPED.has(state)) return { ...WAS_STOPPED, atMs };
  if (error.includes("unhealthy container")) return { ...UNHEALTHY, atMs };
  if (state === "orphaned") return { ...NODE_GONE, atMs };
  if (exitCode < 0) return { kind: "unknown", brief: "has ended", reason: "has ended", atMs };
  if (exitCode === SIGKILL_CODE) {
    const reason = `was killed (exit code ${exitCode}): most often because it had no memory left`;
    return { kind: "killed", brief: "was killed", reason, atMs };
  }
  const why = error === "" || error.includes("non-zero exit") ? "" : `: ${error}`;
  const brief = `has exited with code ${exitCode}`;
  return { kind: "exited", brief, reason: `${brief}${why}`, atMs };
}

export const WAS_STOPPED: RunEnd = { kind: "stopped", brief: "was stopped", reason: "was stopped" };

const UNHEALTHY: RunEnd = {
  kind: "stopped",
  brief: "was stopped",
  reason: "was stopped by Swarm, since its health check failed",
};

export const NODE_GONE: RunEnd = {
  kind: "unknown",
  brief: "is not reached any more",
  reason: "is not reached any more: its node is down",
};

/** For a task of which nothing but its end is known. */
export const GONE: RunEnd = { kind: "unknown", brief: "has ended", reason: "has ended" };

/** A manager may forget the ports of a task when it becomes the leader: they are what they were. */
export function withPorts(task: SwarmTask, before: SwarmTask): SwarmTask {
  const { hostPorts } = task.hostPorts.length > 0 ? task : before;
  return { ...task, hostPorts };
}
