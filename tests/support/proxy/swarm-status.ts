/** Makes up parts of the swarm's section in `GET /status`. */
import type { ServiceStatus, SwarmStatus, TaskStatus } from "../../../src/status.ts";

export function task(init: Partial<TaskStatus> & { readonly name: string }): TaskStatus {
  return {
    id: Bun.hash(init.name).toString(36).padStart(25, "t"),
    node: "gpu-1",
    state: "running",
    desired_state: "running",
    reason: "",
    ...init,
  };
}

/** A service that has all its wanted tasks. All of them take requests. */
export function service(init: Partial<ServiceStatus> & { readonly name: string }): ServiceStatus {
  const count = init.tasks?.length ?? 0;
  return {
    id: Bun.hash(init.name).toString(36).padStart(25, "s"),
    replicas: count,
    routed: count,
    update: null,
    reason: "",
    tasks: [],
    ...init,
  };
}

export function swarm(
  services: readonly ServiceStatus[],
  init: Partial<SwarmStatus> = {},
): SwarmStatus {
  return { state: "followed", reason: null, since: "2026-01-02T03:04:05.000Z", services, ...init };
}
