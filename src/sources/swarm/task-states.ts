/** What the states of a task mean for us, and how a task has ended. Pure. Source: swarmkit `task_model.md`. */
import type { SwarmTask } from "../../engine/swarm.ts";
import type { RunEnd } from "../../routing/run.ts";

/** A task never leaves these states. */
const FINAL: ReadonlySet<string> = new Set([
  "complete",
  "shutdown",
  "failed",
  "rejected",
  "remove",
  "orphaned",
]);

/** States in which the container exists. */
const HAS_CONTAINER: ReadonlySet<string> = new Set(["starting", "running"]);

/** The desired states of a task that should run. `ready` is for a task that will replace another one. */
const WANTED: ReadonlySet<string> = new Set(["running", "ready", "accepted"]);

export function hasEnded({ state }: SwarmTask): boolean {
  return FINAL.has(state);
}

/** True if its container exists and may listen. */
export function hasStarted({ state }: SwarmTask): boolean {
  return HAS_CONTAINER.has(state);
}

/**
 * True if Swarm has decided to stop it. Its process gets the signal 2 to 5 s later. `state` stays
 * `running` until the process has ended; on a dead node it stays so forever.
 */
export function isToStop({ desiredState }: SwarmTask): boolean {
  return !WANTED.has(desiredState);
}

/**
 * True if its process gets the stop signal 3 s after the decision. Without a Swarm network it is only 1 s,
 * because Swarm does not have to update DNS first. Source: facts of issue 20, section 0.
 */
export function hasLongNotice({ networks }: SwarmTask): boolean {
  return networks.length > 0;
}

/** True if it runs and has passed its health check, if it has one. */
export function isRunning({ state, desiredState }: SwarmTask): boolean {
  return state === "running" && desiredState === "running";
}

const SIGKILL_CODE = 137;

/** States of tasks that Swarm has stopped. A task that ends by itself is `complete` or `failed`. */
const STOPPED: ReadonlySet<string> = new Set(["shutdown", "remove"]);

/** How an ended task ended. */
export function endOf(task: SwarmTask): RunEnd {
  const { state, error, exitCode = 0, stateSinceMs } = task;
  const atMs = Number.isNaN(stateSinceMs) ? undefined : stateSinceMs;
  if (STOPPED.has(state)) return { ...WAS_STOPPED, atMs };
  if (error.includes("unhealthy container")) return { ...UNHEALTHY, atMs };
  if (state === "orphaned") return { ...NODE_GONE, atMs };
  if (exitCode < 0) return { kind: "unknown", brief: "has ended", reason: "has ended", atMs };
  if (exitCode === SIGKILL_CODE) {
    const reason = `was killed (exit code ${exitCode}), probably because memory ran out`;
    return { kind: "killed", brief: "was killed", reason, atMs };
  }
  const why = error === "" || error.includes("non-zero exit") ? "" : `: ${error}`;
  const brief = `exited with code ${exitCode}`;
  return { kind: "exited", brief, reason: `${brief}${why}`, atMs };
}

export const WAS_STOPPED: RunEnd = { kind: "stopped", brief: "was stopped", reason: "was stopped" };

const UNHEALTHY: RunEnd = {
  kind: "stopped",
  brief: "was stopped",
  reason: "was stopped by Swarm because its health check failed",
};

export const NODE_GONE: RunEnd = {
  kind: "unknown",
  brief: "is no longer reachable",
  reason: "is no longer reachable: its node is down",
};

/** For a task when we know only that it has ended. */
export const GONE: RunEnd = { kind: "unknown", brief: "has ended", reason: "has ended" };

/** A manager may forget the ports of a task when it becomes the leader. Then we keep the old ports. */
export function withPorts(task: SwarmTask, before: SwarmTask): SwarmTask {
  const { hostPorts } = task.hostPorts.length > 0 ? task : before;
  return { ...task, hostPorts };
}
