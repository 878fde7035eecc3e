/**
 * A service of stand-in servers on a real swarm, created through the API, and a test's actions on it and its
 * tasks.
 */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../until.ts";
import { NODES, type NodeName, type Swarm } from "./swarm.ts";

const JOURNAL = "/journal";
const MS = 1_000_000; // durations in specs are nanoseconds

export type ServiceInit = {
  readonly name: string;
  /** The model of its servers. The service's name by default. */
  readonly model?: string;
  readonly image: string;
  readonly network: string;
  /** The labels of the service, not of its containers. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly replicas?: number;
  /** What its servers do at SIGTERM: finish, or exit at once. */
  readonly termMode: "drain" | "exit";
};

export type Task = {
  readonly id: string;
  readonly node: NodeName;
  readonly containerId: string;
  readonly desired: string;
  readonly state: string;
};

type TaskShape = {
  readonly ID: string;
  readonly NodeID: string;
  readonly DesiredState: string;
  readonly Status: {
    readonly State: string;
    readonly ContainerStatus?: { readonly ContainerID: string };
  };
};

export class Service implements AsyncDisposable {
  readonly name: string;
  readonly model: string;
  readonly termMode: ServiceInit["termMode"];
  readonly #swarm: Swarm;
  readonly #nodes: ReadonlyMap<string, NodeName>;

  private constructor(swarm: Swarm, init: ServiceInit, nodes: ReadonlyMap<string, NodeName>) {
    this.#swarm = swarm;
    this.name = init.name;
    this.model = init.model ?? init.name;
    this.termMode = init.termMode;
    this.#nodes = nodes;
  }

  /** Resolves when all wanted tasks run. */
  static async create(swarm: Swarm, init: ServiceInit): Promise<Service> {
    const folder = swarm.folder(init.name);
    mkdirSync(folder);
    await call(swarm, "POST", "/services/create", specOf(init, folder));
    const service = new Service(swarm, init, await nodesById(swarm));
    await service.untilRunning(init.replicas ?? 3);
    return service;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove().catch(() => undefined); // it was removed already
  }

  /** The listed tasks, also ended ones. */
  async tasks(): Promise<readonly Task[]> {
    const filters = encodeURIComponent(JSON.stringify({ service: [this.name] }));
    const tasks = (await call(this.#swarm, "GET", `/tasks?filters=${filters}`)) as TaskShape[];
    return tasks.map(({ ID, NodeID, DesiredState, Status }) => ({
      id: ID,
      node: this.#nodes.get(NodeID) ?? "m1",
      containerId: Status.ContainerStatus?.ContainerID ?? "",
      desired: DesiredState,
      state: Status.State,
    }));
  }

  async running(): Promise<readonly Task[]> {
    const tasks = await this.tasks();
    return tasks.filter(({ desired, state }) => desired === "running" && state === "running");
  }

  /** @throws if no task runs on the node */
  async taskOn(node: NodeName): Promise<Task> {
    const task = (await this.running()).find((one) => one.node === node);
    if (task === undefined) throw new Error(`No task of ${this.name} runs on ${node}`);
    return task;
  }

  /** Waits until this many tasks run, and no task is stopping or starting. */
  async untilRunning(count: number, boundMs = 60_000): Promise<void> {
    const settled = async (): Promise<boolean> => {
      const alive = (await this.tasks()).filter((task) => !ENDED.includes(task.state));
      return (
        alive.length === count &&
        alive.every((task) => task.desired === "running" && task.state === "running")
      );
    };
    await until(`${count} tasks of ${this.name} run`, settled, boundMs);
  }

  /** `docker service update`, without waiting for its effect. */
  async update(...flags: readonly string[]): Promise<void> {
    await this.#docker("service", "update", "--detach", "--quiet", ...flags, this.name);
  }

  async scale(count: number): Promise<void> {
    await this.#docker("service", "scale", "--detach", `${this.name}=${count}`);
  }

  async remove(): Promise<void> {
    await this.#docker("service", "rm", this.name);
  }

  /** Waits until the update has one of these states: `completed`, `rollback_completed` … */
  async untilUpdate(states: readonly string[], boundMs = 90_000): Promise<void> {
    const format = "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}";
    const reached = async (): Promise<boolean> => {
      const state = await this.#docker("service", "inspect", "--format", format, this.name);
      return states.includes(state.trim());
    };
    await until(`the update of ${this.name} is ${states.join(" or ")}`, reached, boundMs);
  }

  /** Kills the task's process, without telling the engine. */
  async crash(task: Task): Promise<void> {
    process.kill(await this.#pidOf(task), "SIGKILL");
  }

  /** Makes the task's health check fail from now on. */
  async spoil(task: Task): Promise<void> {
    const pid = await this.#pidOf(task);
    const program = 'await fetch("http://127.0.0.1:8000/admin/health?state=bad")';
    const inside = ["nsenter", `--net=/proc/${pid}/ns/net`, process.execPath, "-e", program];
    if ((await Bun.spawn(inside, { stdio: ["ignore", "ignore", "inherit"] }).exited) !== 0)
      throw new Error(`Cannot reach the server of task ${task.id}`);
  }

  /** The requests that reached a server after its SIGTERM, from the servers' journals. */
  lateRequests(): readonly string[] {
    const folder = this.#swarm.folder(this.name);
    return readdirSync(folder).flatMap((name) => lateIn(join(folder, name)));
  }

  async #pidOf({ node, containerId }: Task): Promise<number> {
    const docker = this.#swarm.dockerOn(node);
    return Number(await docker("inspect", "--format", "{{.State.Pid}}", containerId));
  }

  #docker(...args: string[]): Promise<string> {
    return this.#swarm.dockerOn("m1")(...args);
  }
}

type JournalLine = { readonly path: string; readonly model: string | null; readonly at: number };

function lateIn(file: string): readonly string[] {
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  const entries = lines.map((line) => JSON.parse(line) as JournalLine);
  const end = entries.find(({ path }) => path === "SIGTERM");
  if (end === undefined) return [];
  const late = entries.filter(({ at, model }) => model !== null && at > end.at);
  return late.map(({ at }) => `${file}: ${at - end.at} ms after SIGTERM`);
}

const ENDED = ["complete", "shutdown", "failed", "rejected", "remove", "orphaned"];

async function nodesById(swarm: Swarm): Promise<ReadonlyMap<string, NodeName>> {
  const nodes = (await call(swarm, "GET", "/nodes")) as {
    readonly ID: string;
    readonly Description: { readonly Hostname: string };
  }[];
  return new Map(
    nodes.map(({ ID, Description: { Hostname } }) => [
      ID,
      NODES.find((name) => name === Hostname) ?? "m1",
    ]),
  );
}

function specOf(init: ServiceInit, folder: string): object {
  const { name, model = name, image, network, replicas = 3, termMode, labels } = init;
  const config = { Parallelism: 1, Order: "start-first", Monitor: 500 * MS };
  return {
    Name: name,
    Labels: labels ?? { "inference.enable": "true" },
    TaskTemplate: {
      ContainerSpec: {
        Image: image,
        Hostname: "{{.Task.ID}}",
        Env: [
          `MODELS=${model}`,
          `TERM_MODE=${termMode}`,
          "NAME={{.Node.Hostname}} {{.Task.ID}}",
          `JOURNAL_FOLDER=${JOURNAL}`,
        ],
        Mounts: [{ Type: "bind", Source: folder, Target: JOURNAL }],
        StopGracePeriod: 20_000 * MS,
        Healthcheck: {
          Test: ["CMD", "/server", "healthcheck"],
          Interval: 500 * MS,
          Timeout: 5_000 * MS,
          Retries: 2,
        },
      },
      RestartPolicy: { Condition: "any", Delay: 1_000 * MS },
      Networks: [{ Target: network }],
    },
    Mode: { Replicated: { Replicas: replicas } },
    UpdateConfig: config,
    RollbackConfig: config,
    EndpointSpec: { Mode: "dnsrr" },
  };
}

/** @throws if the answer is not 2xx */
async function call(swarm: Swarm, method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`http://docker${path}`, {
    method,
    unix: swarm.socketOf("m1"),
    ...(body !== undefined && {
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot ${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}
