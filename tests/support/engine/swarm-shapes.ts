/**
 * Makes the JSON of a manager's answers from the values of a test. The shapes follow recorded managers: they
 * omit defaults, list a port of a node twice, and put the routing mesh's network first. Pure.
 */
import type { Json } from "./swarm-replies.ts";

export type FakeService = {
  readonly id: string;
  name: string;
  /** The labels of the service: `deploy.labels`. */
  labels: Readonly<Record<string, string>>;
  /** The labels of its containers: `labels`. */
  containerLabels: Readonly<Record<string, string>>;
  /** Undefined: the spec has no health check, but the image may have one. */
  healthcheck: readonly string[] | undefined;
  mode: "replicated" | "global" | "replicated job" | "global job";
  /** For a replicated service. Undefined is omitted from the JSON, and means 1. */
  replicas: number | undefined;
  stopGraceS: number | undefined;
  update: { readonly State: string; readonly Message?: string; readonly StartedAt?: string } | null;
};

type FakeNetwork = {
  readonly id: string;
  readonly name: string;
  /** With the prefix length. Null on the node's own network. */
  readonly addresses: readonly string[] | null;
  readonly isIngress?: boolean;
};

export type FakeTask = {
  readonly id: string;
  /** Empty if the task belongs to no service. */
  serviceId: string;
  /** 0 if the service has one task on each node. */
  slot: number;
  nodeId: string;
  createdAtMs: number;
  state: string;
  desiredState: string;
  error: string;
  message: string;
  /** Empty as long as the task has no container. */
  containerId: string;
  exitCode: number;
  networks: readonly FakeNetwork[] | null;
  /** Port of the container → port of the node that leads to it. */
  hostPorts: Readonly<Record<number, number>>;
};

export type FakeNode = {
  readonly id: string;
  hostname: string;
  state: string;
  address: string;
  /** The address of a manager. Undefined for a worker. */
  managerAddress: string | undefined;
};

export function wireService(service: FakeService): Json {
  const { id, name, labels, containerLabels, healthcheck, stopGraceS, update } = service;
  const container = {
    Image: "inference-server:1",
    ...(Object.keys(containerLabels).length > 0 && { Labels: containerLabels }),
    ...(healthcheck !== undefined && { Healthcheck: { Test: healthcheck } }),
    ...(stopGraceS !== undefined && { StopGracePeriod: stopGraceS * 1e9 }),
  };
  return {
    ID: id,
    Version: { Index: 858 },
    CreatedAt: "2026-11-27T03:56:53.837348474Z",
    UpdatedAt: "2026-11-27T03:56:53.837348474Z",
    Spec: {
      Name: name,
      Labels: labels,
      TaskTemplate: { ContainerSpec: container, ForceUpdate: 0, Runtime: "container" },
      Mode: wireMode(service),
      EndpointSpec: { Mode: "vip" },
    },
    Endpoint: { Spec: {} },
    ...(update !== null && { UpdateStatus: update }),
  };
}

function wireMode({ mode, replicas }: FakeService): Json {
  switch (mode) {
    case "replicated":
      return { Replicated: replicas === undefined ? {} : { Replicas: replicas } };
    case "global":
      return { Global: {} };
    case "replicated job":
      return { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } };
    case "global job":
      return { GlobalJob: {} };
  }
}

export function wireTask(task: FakeTask): Json {
  const { id, serviceId, slot, nodeId, createdAtMs, networks, containerId } = task;
  const ports = Object.entries(task.hostPorts).map(([target, published]) => ({
    Protocol: "tcp",
    TargetPort: Number(target),
    PublishedPort: published,
    PublishMode: "host",
  }));
  return {
    ID: id,
    Version: { Index: 869 },
    CreatedAt: new Date(createdAtMs).toISOString(),
    UpdatedAt: new Date(createdAtMs).toISOString(),
    Labels: {},
    Spec: { ContainerSpec: { Image: "inference-server:1" }, ForceUpdate: 0 },
    ...(serviceId !== "" && { ServiceID: serviceId }),
    ...(slot !== 0 && { Slot: slot }),
    ...(nodeId !== "" && { NodeID: nodeId }),
    Status: {
      Timestamp: new Date(createdAtMs + 1_000).toISOString(),
      State: task.state,
      Message: task.message,
      ...(task.error !== "" && { Err: task.error }),
      ...(containerId !== "" && {
        ContainerStatus: { ContainerID: containerId, PID: 1, ExitCode: task.exitCode },
      }),
      PortStatus: ports.length > 0 ? { Ports: ports.flatMap((port) => [port, port]) } : {},
    },
    DesiredState: task.desiredState,
    NetworksAttachments: networks === null ? null : wireNetworks(networks),
  };
}

function wireNetworks(networks: readonly FakeNetwork[]): readonly Json[] {
  return [...networks]
    .sort((a, b) => Number(b.isIngress ?? false) - Number(a.isIngress ?? false))
    .map(({ id, name, addresses, isIngress = false }) => ({
      Network: {
        ID: id,
        Spec: { Name: name, Labels: {}, ...(isIngress && { Ingress: true }), Scope: "swarm" },
        DriverState: { Name: addresses === null ? "host" : "overlay" },
      },
      Addresses: addresses,
    }));
}

export function wireNode({ id, hostname, state, address, managerAddress }: FakeNode): Json {
  const role = managerAddress === undefined ? "worker" : "manager";
  return {
    ID: id,
    Spec: { Labels: {}, Role: role, Availability: "active" },
    Description: { Hostname: hostname, Engine: { EngineVersion: "20.10.24" } },
    Status: { State: state, Addr: address },
    ...(managerAddress !== undefined && {
      ManagerStatus: { Leader: true, Reachability: "reachable", Addr: managerAddress },
    }),
  };
}

/** The line of a manager's event stream for a change of a service or a node. */
export function swarmEvent(
  type: "service" | "node",
  action: "create" | "update" | "remove",
  id: string,
  attributes: Readonly<Record<string, string>> = {},
): string {
  const nowMs = Date.now();
  return JSON.stringify({
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: "swarm",
    time: Math.floor(nowMs / 1000),
    timeNano: nowMs * 1e6,
  });
}

/** The labels that Docker puts on the container of a task. */
export function taskLabels(
  { id, nodeId, serviceId }: FakeTask,
  name: string,
): Record<string, string> {
  return {
    "com.docker.swarm.node.id": nodeId,
    "com.docker.swarm.service.id": serviceId,
    "com.docker.swarm.service.name": name,
    "com.docker.swarm.task": "",
    "com.docker.swarm.task.id": id,
    "com.docker.swarm.task.name": `${name}.1.${id}`,
  };
}
