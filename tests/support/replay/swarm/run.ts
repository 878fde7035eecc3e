/**
 * One replay of a recording: a real watch, a real fleet and a real routing table, in a time of their own. Nothing is sent
 * to anybody. The time stands still but for `#step`: it is that of the fleet's timers too.
 */
import { jest } from "bun:test";
import { Fleet } from "../../../../src/fleet/fleet.ts";
import type { ModelList } from "../../../../src/fleet/model-list.ts";
import { ModelsUnreadable } from "../../../../src/fleet/models-failure.ts";
import { RoutingTable } from "../../../../src/routing/table.ts";
import { TaskWatch } from "../../../../src/sources/swarm/task-watch.ts";
import { createLog } from "../../../../src/telemetry/log.ts";
import { type Random, seededRandom } from "../../client/random-json.ts";
import { listOf } from "../../server/backends.ts";
import { Clients } from "./clients.ts";
import { Judge, type Judged } from "./judge.ts";
import { Manager } from "./manager.ts";
import { namesAt } from "./names.ts";
import { NodeEngine } from "./node-engine.ts";
import { type Profile, profileOf } from "./profile.ts";
import { listedAt, NETWORK, PORT, type SwarmRecording, type TaskTruth } from "./recording.ts";
import { Told } from "./told.ts";

const DRAIN_TIMEOUT_MS = 5_000;
/** After the end of the recording: the last reads of models come in, and what was put off is done. */
const AFTER_MS = 4_000;
/** How many turns of microtasks a step is given: the longest chain of `await` in it is shorter. */
const TURNS = 12;

const SILENT = createLog({ level: "error", format: "json", write: () => undefined });

export type Replayed = {
  readonly objections: readonly string[];
  readonly judged: Judged;
};

/** Stops at the first objection. */
export async function replay(recording: SwarmRecording, seed: number): Promise<Replayed> {
  jest.useFakeTimers({ now: 0 });
  try {
    const run = new Run(recording, seed);
    await run.play();
    return { objections: run.objections, judged: run.judged };
  } finally {
    jest.clearAllTimers();
    jest.useRealTimers();
  }
}

class Run {
  readonly #recording: SwarmRecording;
  readonly #random: Random;
  readonly #profile: Profile;
  readonly #table = new RoutingTable();
  readonly #told = new Told();
  readonly #manager: Manager;
  readonly #watch: TaskWatch;
  readonly #judge: Judge;
  readonly #clients: Clients;
  readonly #models = new Map<string, string>();
  /** How long each try to read the models of a task takes; all but the last one fail. */
  readonly #plans = new Map<string, readonly number[]>();
  readonly #tries = new Map<string, number>();
  readonly #ownNode: NodeEngine;
  readonly #stepMs: number;
  #nowMs = 0;
  #reads = 0;
  #readEndMs = 0;
  #dueMs = Number.POSITIVE_INFINITY;
  #namesMs: number;

  constructor(recording: SwarmRecording, seed: number) {
    this.#recording = recording;
    this.#random = seededRandom(seed + 4_000_000);
    this.#profile = profileOf(recording, this.#random);
    this.#stepMs = 20 + this.#random(30);
    this.#namesMs = this.#random(500);
    this.#ownNode = new NodeEngine(recording, this.#profile.ownNode);
    this.#manager = new Manager(recording, this.#profile, this.#random);
    for (const { value = [] } of recording.services) {
      for (const { id, name } of value) this.#models.set(id, name);
    }
    const fleet = new Fleet({
      ...{ table: this.#table, log: SILENT, drainTimeoutMs: DRAIN_TIMEOUT_MS },
      readModels: (url, signal) => this.#readModels(url, signal),
    });
    const listener = fleet.join({
      name: "swarm",
      isFollowing: () => true,
      settled: () => Promise.resolve(),
    });
    this.#watch = new TaskWatch({
      ...{ listener, around: () => AROUND },
      ownView: (task) => this.#ownNode.view(task),
    });
    this.#judge = new Judge({
      ...{ recording, profile: this.#profile, table: this.#table, told: this.#told },
      ...{ models: this.#models, stepMs: this.#stepMs, readMs: (id) => this.#readMs(id) },
    });
    this.#clients = new Clients(this.#table, this.#judge, this.#random);
  }

  get objections(): readonly string[] {
    return [...this.#judge.objections, ...this.#clients.objections];
  }

  get judged(): Judged {
    return this.#judge.judged;
  }

  async play(): Promise<void> {
    const endMs = this.#recording.endMs + AFTER_MS;
    while (this.#nowMs < endMs && this.objections.length === 0) await this.#step();
  }

  async #step(): Promise<void> {
    const beforeMs = this.#nowMs;
    this.#nowMs += this.#stepMs;
    jest.advanceTimersByTime(this.#stepMs);
    if (this.#isReading) await settle();
    this.#goAway();
    if (!this.#isAway) this.#poll();
    this.#tellOfOwnNode(beforeMs);
    if (!this.#isAway) this.#tellNames();
    if (this.#dueMs <= this.#nowMs) this.#due();
    if (this.#isReading) await settle();
    for (const model of this.#models.values()) this.#clients.request(model, this.#nowMs);
    this.#judge.step(this.#nowMs);
  }

  /** Reads of models are under way, or one has just ended: only then does anything in the fleet wait for anything. */
  get #isReading(): boolean {
    return this.#reads > 0 || this.#nowMs <= this.#readEndMs + 2 * this.#stepMs;
  }

  #poll(): void {
    const answer = this.#manager.step(this.#nowMs);
    if (answer === undefined) return;
    this.#told.answer(answer, this.#nowMs);
    this.#watch.saw(answer, this.#nowMs);
    this.#due();
  }

  #due(): void {
    this.#dueMs = this.#nowMs + (this.#watch.due(this.#nowMs) ?? Number.POSITIVE_INFINITY);
  }

  get #isAway(): boolean {
    const [fromMs, toMs] = this.#profile.away ?? [0, 0];
    return fromMs <= this.#nowMs && this.#nowMs < toMs;
  }

  #goAway(): void {
    if (!this.#isAway || this.#told.isLeft) return;
    this.#told.left();
    this.#watch.left();
  }

  #tellOfOwnNode(sinceMs: number): void {
    for (const event of this.#ownNode.happened(sinceMs, this.#nowMs)) {
      this.#told.ofNode(event, this.#nowMs);
      this.#watch.ownChanged(event.taskId, this.#nowMs);
    }
  }

  #tellNames(): void {
    const { namesEveryMs } = this.#profile;
    if (namesEveryMs === undefined || this.#namesMs > this.#nowMs) return;
    this.#namesMs += namesEveryMs;
    for (const serviceId of this.#models.keys()) {
      const addresses = namesAt(this.#recording, serviceId, this.#nowMs, this.#random);
      if (addresses === undefined) continue;
      this.#told.names(serviceId, addresses, this.#nowMs);
      this.#watch.sawNames(serviceId, addresses, this.#nowMs);
    }
    this.#due();
  }

  /** As whoever has the address now would answer. */
  async #readModels(url: string, signal: AbortSignal): Promise<ModelList> {
    const tenant = this.#tenantOf(url);
    const tries = this.#tries.get(tenant?.id ?? "") ?? 0;
    if (tenant !== undefined) this.#tries.set(tenant.id, tries + 1);
    const delaysMs = this.#plan(tenant?.id ?? "");
    this.#reads += 1;
    await Promise.race([passed(delaysMs[tries] ?? 1), abortOf(signal)]).finally(() => {
      this.#reads -= 1;
      this.#readEndMs = this.#nowMs;
    });
    const model = this.#models.get(tenant?.serviceId ?? "");
    if (model === undefined || tries < delaysMs.length - 1)
      throw new ModelsUnreadable("it is loading");
    return listOf(model);
  }

  #tenantOf(url: string): TaskTruth | undefined {
    const { host } = new URL(url);
    const tasks = listedAt(this.#recording, this.#nowMs);
    const at = tasks.filter(({ networks }) => `${networks[0]?.addresses[0]}:${PORT}` === host);
    return at
      .flatMap(({ id }) => this.#recording.truths.get(id) ?? [])
      .find(
        ({ runningMs, endedMs = Number.POSITIVE_INFINITY }) =>
          runningMs !== undefined && this.#nowMs < endedMs,
      );
  }

  #plan(id: string): readonly number[] {
    const known = this.#plans.get(id);
    if (known !== undefined) return known;
    const { readMs, readFailsOneIn } = this.#profile;
    const fails =
      readFailsOneIn > 0 && this.#random(readFailsOneIn) === 0 ? 1 + this.#random(2) : 0;
    const plan = Array.from({ length: fails + 1 }, () => this.#random(readMs));
    this.#plans.set(id, plan);
    return plan;
  }

  /** The fleet tries again after 250 ms, then after 500 ms; each part ends with a step. */
  #readMs(id: string): number {
    const delaysMs = this.#plan(id);
    const pausesMs = delaysMs.slice(1).reduce((sum, _, n) => sum + 250 * 2 ** n, 0);
    return delaysMs.reduce((sum, one) => sum + one, pausesMs) + 2 * delaysMs.length * this.#stepMs;
  }
}

/** In no container that is a task, on the network of all of them. */
const AROUND = {
  whereabouts: { networks: [{ id: NETWORK, name: "inf" }], isOnHost: false },
  itself: {
    container: undefined,
    program: "proxy",
    addresses: [],
    listening: { host: undefined, port: 1 },
  },
  nodes: new Map(),
  ownServiceId: undefined,
};

async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await Promise.resolve();
}

function passed(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, ms);
  return promise;
}

function abortOf(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason));
  return promise;
}
