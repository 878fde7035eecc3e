/**
 * One replay of a recording: a real watch, a real fleet and a real routing table, in simulated time. Nothing
 * is sent over a network. Only `#step` moves the time, which is also the time of the fleet's timers.
 */
import { jest } from "bun:test";
import { Fleet } from "../../../../src/fleet/fleet.ts";
import { RoutingTable } from "../../../../src/routing/table.ts";
import { TaskWatch } from "../../../../src/sources/swarm/task-watch.ts";
import { createLog } from "../../../../src/telemetry/log.ts";
import { type Random, seededRandom } from "../../client/random-json.ts";
import { Clients } from "./clients.ts";
import { Judge, type Judged } from "./judge.ts";
import { Manager } from "./manager.ts";
import { namesAt } from "./names.ts";
import { NodeEngine } from "./node-engine.ts";
import { type Profile, profileOf } from "./profile.ts";
import { NETWORK, type SwarmRecording } from "./recording.ts";
import { Servers } from "./servers.ts";
import { Told } from "./told.ts";

const DRAIN_TIMEOUT_MS = 5_000;
/** After the recording ends: time for the last reads of models and for delayed decisions. */
const AFTER_MS = 4_000;
/** How many turns of microtasks a step runs: more than the longest chain of `await` in it. */
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
  readonly #ownNode: NodeEngine;
  readonly #servers: Servers;
  readonly #stepMs: number;
  #nowMs = 0;
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
    this.#servers = new Servers({
      ...{ recording, models: this.#models, profile: this.#profile, random: this.#random },
      nowMs: () => this.#nowMs,
    });
    const fleet = new Fleet({
      ...{ table: this.#table, log: SILENT, drainTimeoutMs: DRAIN_TIMEOUT_MS },
      connect: async () => "connected",
      readModels: (url, signal) => this.#servers.read(url, signal),
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
      ...{
        models: this.#models,
        stepMs: this.#stepMs,
        readMs: (id) => this.#servers.readMs(id, this.#stepMs),
      },
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

  /** Whether reads of models run, or one has just ended. Only in this case does the fleet wait for anything. */
  get #isReading(): boolean {
    const { reads, readEndMs } = this.#servers;
    return reads > 0 || this.#nowMs <= readEndMs + 2 * this.#stepMs;
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
}

/** The proxy is in no container of a task. It is on the network of all tasks. */
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
