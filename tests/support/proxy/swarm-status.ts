/** Made-up parts of what `GET /status` shows of a swarm. */
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

/** One that wants as many tasks as it has, all of which take requests. */
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
