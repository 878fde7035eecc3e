/** What a swarm manager shows of services, tasks and nodes: the types. Its JSON becomes these in swarm-wire.ts. */

export type Service = {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the containers that it makes. */
  readonly containerLabels: Readonly<Record<string, string>>;
  /** What its spec says of a health check. `none`: it turns off that of the image. `not given`: the image may have one. */
  readonly healthcheck: "given" | "none" | "not given";
  /** How long its tasks may take to stop, ms. */
  readonly stopTimeoutMs: number;
  /** Ports that it publishes on the nodes of its tasks. */
  readonly hostPorts: readonly HostPort[];
  /** How many tasks it is to have; undefined if it has one on each node. */
  readonly replicas: number | undefined;
  /** Its tasks run to their end, and no longer: nothing that requests could be sent to. */
  readonly isJob: boolean;
  readonly update: ServiceUpdate | undefined;
};

type ServiceUpdate = {
  /** As the engine writes it: `updating`, `paused`, `completed`, `rollback_started` … */
  readonly state: string;
  readonly message: string;
  /** ms since the epoch; NaN if it is not known. */
  readonly startedAtMs: number;
};

export type SwarmTask = {
  readonly id: string;
  /** Empty for a container on an attachable network, that belongs to no service. */
  readonly serviceId: string;
  /** 0 where the service has one task on each node. */
  readonly slot: number;
  /** Empty until it has a node. */
  readonly nodeId: string;
  /** ms since the epoch. It never changes. */
  readonly createdAtMs: number;
  readonly state: string;
  readonly desiredState: string;
  /** When it came to its state, ms since the epoch; NaN if it is not known. */
  readonly stateSinceMs: number;
  /** What keeps it from its state, or how it has ended; empty if nothing is wrong. */
  readonly error: string;
  readonly message: string;
  /** Empty until it has one. */
  readonly containerId: string;
  readonly exitCode: number | undefined;
  /** It has been since `pending`, long before anything listens there. */
  readonly networks: readonly TaskNetwork[];
  /** Ports of its node that lead to it, once it runs. After a change of leader they may be missing (20.10, measured). */
  readonly hostPorts: readonly HostPort[];
};

export type TaskNetwork = {
  readonly id: string;
  readonly name: string;
  /** The network of the routing mesh. Nobody reaches a task by its address there. */
  readonly isIngress: boolean;
  /** Without prefix lengths. */
  readonly addresses: readonly string[];
};

export type HostPort = {
  readonly protocol: string;
  /** Inside the container. */
  readonly targetPort: number;
  /** 0 if the service leaves it to its nodes. */
  readonly publishedPort: number;
};

export type SwarmNode = {
  readonly id: string;
  readonly hostname: string;
  /** `ready`, `down`, `unknown` (for a while after each change of leader) or `disconnected`. */
  readonly state: string;
  /** The address at which the other nodes reach it; empty if none is known. */
  readonly address: string;
};
