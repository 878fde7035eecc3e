/**
 * Stands in for a swarm, with the fake engine as a manager. The test controls its services, tasks and nodes.
 * This file makes the engine's answers about them; fake.ts sends the answers.
 */
import type { Answer } from "./replies.ts";
import { refusalOf, type SwarmMode } from "./swarm-refusals.ts";
import type { Json } from "./swarm-replies.ts";
import {
  type FakeNode,
  type FakeService,
  type FakeTask,
  wireNode,
  wireService,
  wireTask,
} from "./swarm-shapes.ts";

let counter = 0;

/** 25 characters, not only hexadecimal digits, like Swarm's ids. */
function newId(kind: string): string {
  counter += 1;
  return `${kind}${counter.toString(36).padStart(25 - kind.length, "z")}`;
}

export const LABELLED = { "inference.enable": "true" };

export class FakeSwarm {
  mode: SwarmMode = "manager";
  /** Modes for single paths, for example when a socket proxy forbids `/nodes`. */
  readonly modeOf = new Map<string, SwarmMode>();
  readonly services = new Map<string, FakeService>();
  readonly tasks = new Map<string, FakeTask>();
  readonly nodes = new Map<string, FakeNode>();
  /** Tasks of containers that `docker run` attached to networks of the swarm, in the wire format. */
  attachments: readonly Json[] = [];

  /** By default it is replicated, is labelled, and has a health check. */
  addService(init: Partial<FakeService> = {}): FakeService {
    const service: FakeService = {
      id: newId("service"),
      name: "vllm",
      labels: LABELLED,
      containerLabels: {},
      healthcheck: ["CMD", "true"],
      mode: "replicated",
      replicas: 1,
      stopGraceS: undefined,
      update: null,
      ...init,
    };
    this.services.set(service.id, service);
    return service;
  }

  /** By default a worker at 127.0.0.1. */
  addNode(init: Partial<FakeNode> = {}): FakeNode {
    const id = init.id ?? newId("node");
    const node = { id, hostname: `host-${counter}`, state: "ready", address: "127.0.0.1" };
    const whole: FakeNode = { managerAddress: undefined, ...node, ...init };
    this.nodes.set(id, whole);
    return whole;
  }

  /**
   * By default it runs on the first node.
   *
   * @param port of the node, which leads to port 8000 of the task's container
   */
  addTask(
    service: Pick<FakeService, "id">,
    { port, ...init }: Partial<FakeTask> & { readonly port?: number } = {},
  ): FakeTask {
    const task: FakeTask = {
      id: newId("task"),
      serviceId: service.id,
      slot: 1,
      nodeId: [...this.nodes.keys()][0] ?? this.addNode().id,
      createdAtMs: Date.now(),
      state: "running",
      desiredState: "running",
      error: "",
      message: "started",
      containerId: newId("container"),
      exitCode: 0,
      networks: null,
      hostPorts: port === undefined ? {} : { 8000: port },
      ...init,
    };
    this.tasks.set(task.id, task);
    return task;
  }

  /** @returns undefined if the engine never answers */
  answer(path: string, query: URLSearchParams): Answer | undefined {
    const mode = this.modeOf.get(path) ?? this.mode;
    if (mode === "hang") return undefined;
    return mode === "manager" ? ok(this.#reply(path, query)) : refusalOf(mode);
  }

  #reply(path: string, query: URLSearchParams): readonly Json[] {
    if (path === "/services") return [...this.services.values()].map(wireService);
    if (path === "/nodes") return [...this.nodes.values()].map(wireNode);
    const isOfAttachments = (query.get("filters") ?? "").includes("attachment");
    return isOfAttachments ? this.attachments : [...this.tasks.values()].map(wireTask);
  }
}

function ok(body: readonly Json[]): Answer {
  return { status: 200, body: JSON.stringify(body) };
}
