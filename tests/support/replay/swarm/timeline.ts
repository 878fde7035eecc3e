/**
 * Reads a recording with one change a line, and facts that no manager shows: when each process got SIGTERM,
 * and the answers of Swarm's DNS. It makes the manager's answers from the changes.
 */
import type { Service, SwarmTask } from "../../../../src/engine/swarm.ts";
import {
  hear,
  learn,
  type NamesAnswer,
  NETWORK,
  type NodeEvent,
  readLines,
  type SwarmRecording,
  type TaskTruth,
} from "./recording.ts";

/** Ids are cut to 8 characters, except in names of containers. */
type Line =
  | { readonly k: "SVC"; readonly t: number; readonly id: string; readonly gone: true }
  | ({ readonly k: "SVC"; readonly t: number } & ServiceLine)
  | { readonly k: "TASK"; readonly t: number; readonly id: string; readonly gone: true }
  | ({ readonly k: "TASK"; readonly t: number } & TaskLine)
  | ({
      readonly k: "EV";
      readonly t: number;
      readonly on: string;
      readonly type: string;
    } & EventLine)
  | { readonly k: "PROC"; readonly t: number; readonly ev: string; readonly name: string }
  | { readonly k: "DNS"; readonly t: number; readonly answer: string }
  | { readonly k: "DONE" | "NODE" | "EVEND" | "EVERR"; readonly t: number };

type ServiceLine = {
  readonly id: string;
  readonly gone?: never;
  readonly name: string;
  readonly rep: number;
  readonly upd?: string;
  readonly updmsg?: string;
};

type TaskLine = {
  readonly id: string;
  readonly gone?: never;
  readonly slot: number;
  readonly node: string;
  readonly D: string;
  readonly S: string;
  readonly at: number;
  readonly msg: string;
  readonly err?: string;
  readonly code?: number;
  readonly ip: string;
  /** The service's name, or its id if the name was not known yet. */
  readonly svc: string;
};

type EventLine = {
  readonly act: string;
  readonly at: Readonly<Record<string, string>>;
};

const ID_LENGTH = 8;

export function readTimeline(file: string): SwarmRecording {
  const lines = readLines(file) as readonly Line[];
  const swarm = new Swarm();
  for (const line of lines) swarm.play(line);
  return swarm.recording(file, lines.at(-1)?.t ?? 0);
}

class Swarm {
  readonly #services = new Map<string, Service>();
  readonly #idOf = new Map<string, string>();
  readonly #tasks = new Map<string, SwarmTask>();
  readonly #createdMs = new Map<string, number>();
  readonly #truths = new Map<string, TaskTruth>();
  readonly #shownServices: { atMs: number; value: readonly Service[] }[] = [];
  readonly #shownTasks: { atMs: number; value: readonly SwarmTask[] }[] = [];
  readonly #nodeEvents: NodeEvent[] = [];
  readonly #names: NamesAnswer[] = [];

  play(line: Line): void {
    switch (line.k) {
      case "SVC":
        this.#service(line);
        put(this.#shownServices, line.t, [...this.#services.values()]);
        break;
      case "TASK":
        this.#task(line);
        put(this.#shownTasks, line.t, [...this.#tasks.values()]);
        break;
      case "EV":
        this.#event(line);
        break;
      case "PROC":
        if (line.ev === "term") this.#term(line.name, line.t);
        break;
      case "DNS":
        this.#named(line.answer, line.t);
        break;
      default:
    }
  }

  recording(name: string, endMs: number): SwarmRecording {
    hear(this.#truths, this.#nodeEvents);
    return {
      ...{ name, endMs, services: this.#shownServices, tasks: this.#shownTasks },
      ...{ truths: this.#truths, nodeEvents: this.#nodeEvents },
      names: this.#names.length > 0 ? this.#names : undefined,
    };
  }

  #service(line: Extract<Line, { readonly k: "SVC" }>): void {
    if (line.gone) {
      this.#services.delete(line.id);
      return;
    }
    const { id, name, rep, upd, updmsg = "", t } = line;
    this.#idOf.set(name, id);
    this.#services.set(id, {
      ...{ id, name, labels: { "inference.enable": "true" }, containerLabels: {} },
      ...{
        healthcheck: "given",
        stopTimeoutMs: 10_000,
        hostPorts: [],
        replicas: rep,
        isJob: false,
      },
      update: upd === undefined ? undefined : { state: upd, message: updmsg, startedAtMs: t },
    });
  }

  #task(line: Extract<Line, { readonly k: "TASK" }>): void {
    if (line.gone) {
      const truth = this.#truths.get(line.id);
      if (truth !== undefined) truth.endedMs ??= line.t;
      this.#tasks.delete(line.id);
      return;
    }
    const { id, slot, node, D, S, at, msg, err = "", code, ip, svc, t } = line;
    const createdAtMs = this.#createdMs.get(id) ?? Math.min(at, t);
    this.#createdMs.set(id, createdAtMs);
    const network = { id: NETWORK, name: "inf", isIngress: false };
    const task: SwarmTask = {
      ...{ id, serviceId: this.#idOf.get(svc) ?? svc, slot, nodeId: node === "-" ? "" : node },
      ...{ createdAtMs, state: S, desiredState: D, stateSinceMs: at, error: err, message: msg },
      ...{ containerId: node === "-" ? "" : `container of ${id}`, exitCode: code, hostPorts: [] },
      networks: [{ ...network, addresses: [ip.replace(/\/\d+$/, "")] }],
    };
    this.#tasks.set(id, task);
    learn(this.#truths, t, task);
  }

  #event({ on: node, type, act, at, t: atMs }: Extract<Line, { readonly k: "EV" }>): void {
    if (type !== "container") return;
    const taskId = (at["swarm.task.id"] ?? "").slice(0, ID_LENGTH);
    const what = EVENTS[act === "kill" ? `kill ${at["signal"]}` : act];
    if (what !== undefined) this.#nodeEvents.push({ atMs, node, taskId, what });
  }

  /** @param name of the container: `service.slot.id` */
  #term(name: string, atMs: number): void {
    const truth = this.#truths.get((name.split(".").at(-1) ?? "").slice(0, ID_LENGTH));
    if (truth !== undefined) truth.termMs = Math.min(atMs, truth.termMs ?? atMs);
  }

  /** An address belongs to the task that has it now. */
  #named(answer: string, atMs: number): void {
    const isAnswer = answer.startsWith("[");
    const addresses = isAnswer ? (JSON.parse(answer) as readonly string[]) : [];
    const tasks = [...this.#tasks.values()].filter(({ networks }) =>
      addresses.includes(networks[0]?.addresses[0] ?? ""),
    );
    const [service] = this.#services.keys();
    const taskIds = isAnswer ? tasks.map(({ id }) => id) : undefined;
    this.#names.push({ atMs, serviceId: service ?? "", taskIds });
  }
}

const EVENTS: Readonly<Record<string, NodeEvent["what"]>> = {
  "health_status: healthy": "healthy",
  "health_status: unhealthy": "unhealthy",
  "kill 15": "stop signal",
  "kill 9": "stop signal",
  die: "over",
  stop: "over",
};

/** Changes at the same time belong to one answer. */
function put<T>(shown: { atMs: number; value: T }[], atMs: number, value: T): void {
  if (shown.at(-1)?.atMs === atMs) shown.pop();
  shown.push({ atMs, value });
}
