/** Makes parsed services, tasks and nodes. Fields that a test does not give have ordinary values. */
import type { Service, SwarmNode, SwarmTask, TaskNetwork } from "../../../src/engine/swarm.ts";

export const CREATED_MS = Date.parse("2026-11-27T04:00:00Z");

export function aService(init: Partial<Service> = {}): Service {
  return {
    id: "svc1",
    name: "llm",
    labels: { "inference.enable": "true" },
    containerLabels: {},
    healthcheck: "given",
    stopTimeoutMs: 10_000,
    hostPorts: [],
    replicas: 3,
    isJob: false,
    update: undefined,
    ...init,
  };
}

export function aNetwork(init: Partial<TaskNetwork> = {}): TaskNetwork {
  return {
    id: "net1",
    name: "ai_inference",
    isIngress: false,
    addresses: ["10.0.1.5"],
    ...init,
  };
}

/** A running task. */
export function aTask(init: Partial<SwarmTask> = {}): SwarmTask {
  return {
    id: "task1",
    serviceId: "svc1",
    slot: 1,
    nodeId: "node1",
    createdAtMs: CREATED_MS,
    state: "running",
    desiredState: "running",
    stateSinceMs: CREATED_MS + 9_000,
    error: "",
    message: "started",
    containerId: "c".repeat(64),
    exitCode: 0,
    networks: [aNetwork()],
    hostPorts: [],
    ...init,
  };
}

export function aNode(init: Partial<SwarmNode> = {}): SwarmNode {
  return { id: "node1", hostname: "gpu-1", state: "ready", address: "192.168.1.21", ...init };
}
