/** The types for services, tasks and nodes of a swarm. swarm-wire.ts makes them from a manager's JSON. */

export type Service = {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The labels of its containers. */
  readonly containerLabels: Readonly<Record<string, string>>;
  /** The health check in its spec. `none`: it turns off the image's check. `not given`: the image may have one. */
  readonly healthcheck: "given" | "none" | "not given";
  /** How long its tasks may take to stop, ms. */
  readonly stopTimeoutMs: number;
  /** Ports that it publishes on the nodes of its tasks. */
  readonly hostPorts: readonly HostPort[];
  /** How many tasks it should have; undefined if it has one on each node. */
  readonly replicas: number | undefined;
  /** Its tasks do one job and exit, so they are not servers. */
  readonly isJob: boolean;
  readonly update: ServiceUpdate | undefined;
};

type ServiceUpdate = {
  /** The engine's own word: `updating`, `paused`, `completed`, `rollback_started` … */
  readonly state: string;
  readonly message: string;
  /** ms since the epoch; NaN if unknown. */
  readonly startedAtMs: number;
};

export type SwarmTask = {
  readonly id: string;
  /** Empty for a container on an attachable network: it belongs to no service. */
  readonly serviceId: string;
  /** 0 if the service has one task on each node. */
  readonly slot: number;
  /** Empty until it has a node. */
  readonly nodeId: string;
  /** ms since the epoch. It never changes. */
  readonly createdAtMs: number;
  readonly state: string;
  readonly desiredState: string;
  /** When it entered its state, ms since the epoch; NaN if unknown. */
  readonly stateSinceMs: number;
  /** Why it does not reach the desired state, or how it has ended; empty if nothing is wrong. */
  readonly error: string;
  readonly message: string;
  /** Empty until it has a container. */
  readonly containerId: string;
  readonly exitCode: number | undefined;
  /** Known since `pending`, long before anything listens there. */
  readonly networks: readonly TaskNetwork[];
  /** Ports of its node that lead to it while it runs. They may be missing after a change of leader (20.10, measured). */
  readonly hostPorts: readonly HostPort[];
};

export type TaskNetwork = {
  readonly id: string;
  readonly name: string;
  /** The network of the routing mesh. A task cannot be reached by its address there. */
  readonly isIngress: boolean;
  /** Without prefix lengths. */
  readonly addresses: readonly string[];
};

export type HostPort = {
  readonly protocol: string;
  /** Inside the container. */
  readonly targetPort: number;
  /** 0 if the service lets its nodes choose. */
  readonly publishedPort: number;
};

export type SwarmNode = {
  readonly id: string;
  readonly hostname: string;
  /** `ready`, `down`, `unknown` (for a while after each change of leader) or `disconnected`. */
  readonly state: string;
  /** The address that other nodes use to reach it; empty if unknown. */
  readonly address: string;
};
