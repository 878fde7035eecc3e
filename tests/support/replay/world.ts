/**
 * Plays several recordings on a fake engine at the same time. Containers start, stop and move as recorded.
 * Each has its own address, which the next container gets once it is free. Meanwhile events are lost, late,
 * doubled or cut off, and answers are slow. The seed chooses everything. run.ts and clients.ts judge the
 * proxy.
 */

import { type Random, seededRandom } from "../client/random-json.ts";
import type { FakeEngine } from "../engine/fake.ts";
import type { FakeContainer } from "../engine/replies.ts";
import { modelList } from "../proxy/discovery.ts";
import type { Host } from "./host.ts";
import { apply, attributesOf } from "./recordings.ts";
import { chooseSteps, type Step } from "./steps.ts";

/** The faults of one replay: for events in percent, and for answers. */
type Faults = {
  readonly lost: number;
  readonly lateMs: number;
  readonly cut: number;
  readonly moved: number;
  readonly inspectFailed: number;
  readonly answerMs: number;
  /** The longest pause between two steps, in ms. */
  readonly paceMs: number;
  /** How many steps at the end have no events, although the stream stays open. */
  readonly silentLast: number;
};

/** The run that got an address. */
export type Tenant = Pick<FakeContainer, "id" | "startedAtMs">;

type WorldInit = {
  readonly seed: number;
  readonly fake: FakeEngine;
  readonly host: Host;
  /** Names of the recordings to choose from. */
  readonly names: readonly string[];
  readonly stopTimeoutS: number;
};

export class ReplayWorld {
  readonly steps: readonly Step[];
  /** One model for each container, and one that all containers serve. */
  readonly modelIds: readonly string[];
  /** While false, answers are slow but never fail. */
  isFaulty = true;
  readonly #init: WorldInit;
  readonly #random: Random;
  /** For choices whose order depends on timing, so that the other choices stay the same for a seed. */
  readonly #delays: Random;
  readonly #faults: Faults;
  readonly #containers = new Map<string, FakeContainer>();
  readonly #models = new Map<FakeContainer, readonly string[]>();
  readonly #tenants = new Map<string, Tenant>();
  #done = 0;
  #onTheirWay = 0;
  #lastMs = 0;

  constructor(init: WorldInit) {
    this.#init = init;
    this.#random = seededRandom(init.seed);
    this.#delays = seededRandom(init.seed + 1_000_000);
    this.steps = chooseSteps(this.#random, init.names);
    this.#faults = this.#chooseFaults();
    const keys = new Set(this.steps.map(({ key }) => key));
    this.modelIds = ["shared", ...[...keys].map((_, n) => `m${n}`)];
    init.host.answer = (address) => this.#answerModels(address);
    init.fake.intercept = async (path) => {
      await this.#delay(path);
      const failed = this.isFaulty && this.#delays(100) < this.#faults.inspectFailed;
      return failed && isInspect(path) ? { status: 500, body: "{}" } : undefined;
    };
    init.fake.holdBack = (path) => this.#delay(path);
  }

  get isCutAtTheEnd(): boolean {
    return this.#faults.cut > 0;
  }

  /** Whether every event has been sent or is lost. */
  get isTold(): boolean {
    return this.#onTheirWay === 0;
  }

  get containers(): readonly FakeContainer[] {
    return [...this.#init.fake.containers.values()];
  }

  modelsOf(container: FakeContainer): readonly string[] {
    return this.#models.get(container) ?? [];
  }

  /** The run that got the address last, whether it still has it or not. */
  tenantOf(address: string): Tenant | undefined {
    return this.#tenants.get(address);
  }

  /** Plays one more step. */
  async play(step: Step): Promise<void> {
    const { event, key } = step;
    this.#done += 1;
    this.#chance(this.#faults.cut, () =>
      this.#init.fake.cutStreams(this.#random(2) === 0 ? '{"Type":"container","Act' : undefined),
    );
    this.#chance(this.#faults.moved, () => this.#move());
    const container = this.#containers.get(key) ?? this.#create(key);
    const timeMs = this.#nowMs();
    apply(event, container, timeMs);
    if (container.status === "exited" && step.startsAgain) container.status = "restarting";
    if (event.Action === "destroy") this.#init.fake.containers.delete(container.id);
    this.#giveAddress(container);
    this.#tell(() => {
      this.#init.fake.emit(container, event.Action, attributesOf(event), timeMs);
    });
    const pauseMs = this.#random(this.#faults.paceMs + 1);
    if (pauseMs > 0) await Bun.sleep(pauseMs); // the pace at which things happen
  }

  #chooseFaults(): Faults {
    const pick = (...from: readonly number[]): number => from[this.#random(from.length)] ?? 0;
    return {
      lost: pick(0, 0, 10, 40),
      lateMs: pick(0, 5, 30),
      cut: pick(0, 0, 0, 8),
      moved: pick(0, 0, 8),
      inspectFailed: pick(0, 0, 0, 5),
      answerMs: pick(0, 3, 12),
      paceMs: pick(0, 4, 4, 20),
      silentLast: pick(0, 0, 0, 0, this.#random(this.steps.length)),
    };
  }

  #create(key: string): FakeContainer {
    const { fake, host, stopTimeoutS } = this.#init;
    const init = { port: host.port, status: "created", health: "starting", ipAddress: "" };
    const container = fake.add({ ...init, stopTimeoutS });
    this.#models.set(container, [`m${this.#containers.size}`, "shared"]);
    this.#containers.set(key, container);
    return container;
  }

  /** Gives addresses as Docker does: the first free one when a container starts, none while it does not run. */
  #giveAddress(container: FakeContainer): void {
    const runs = container.status === "running" || container.status === "paused";
    if (!runs || !this.containers.includes(container)) container.ipAddress = "";
    else container.ipAddress ||= this.#free() ?? "";
    this.#keepTenant(container);
  }

  #keepTenant({ ipAddress, id, startedAtMs }: FakeContainer): void {
    if (ipAddress !== "") this.#tenants.set(ipAddress, { id, startedAtMs });
  }

  #free(): string | undefined {
    const taken = new Set(this.containers.map(({ ipAddress }) => ipAddress));
    return this.#init.host.addresses.find((address) => !taken.has(address));
  }

  /** Runs `docker network disconnect` and `connect` on a running container. */
  #move(): void {
    const running = this.containers.filter(({ ipAddress }) => ipAddress !== "");
    const container = running[this.#random(running.length)];
    const address = this.#free();
    if (container === undefined || address === undefined) return;
    container.ipAddress = address;
    this.#keepTenant(container);
    for (const action of ["disconnect", "connect"] as const) {
      this.#tell(() => this.#init.fake.emitNetwork(container, action));
    }
  }

  #tell(emit: () => void): void {
    const { lost, lateMs, silentLast } = this.#faults;
    const silent = this.#done > this.steps.length - silentLast;
    let copies = silent || this.#random(100) < lost ? 0 : 1;
    if (copies > 0) this.#chance(10, () => (copies = this.#random(10) === 0 ? 20 : 2));
    for (let copy = 0; copy < copies; copy += 1) {
      const delayMs = this.#random(lateMs + 1) + (copy > 0 ? this.#random(30) : 0);
      if (delayMs === 0) {
        emit();
        continue;
      }
      this.#onTheirWay += 1;
      setTimeout(() => {
        this.#onTheirWay -= 1;
        emit();
      }, delayMs);
    }
  }

  #chance(percent: number, happens: () => void): void {
    if (this.#random(100) < percent) happens();
  }

  async #delay(path: string): Promise<void> {
    const delayMs = isInspect(path) ? this.#delays(this.#faults.answerMs + 1) : 0;
    if (delayMs > 0) await Bun.sleep(delayMs); // a slow engine
  }

  async #answerModels(address: string): Promise<Response> {
    await this.#delay("models");
    const container = this.containers.find(({ ipAddress }) => ipAddress === address);
    if (container === undefined) return new Response(null, { status: 502 });
    if (container.status === "paused") return new Promise(() => undefined);
    if (this.isFaulty && this.#delays(50) === 0) return new Response(null, { status: 503 });
    const answer = modelList(...this.modelsOf(container));
    await this.#delay("models");
    return answer;
  }

  /** The engine's time in ms, with fractions: no two events have the same time. */
  #nowMs(): number {
    this.#lastMs = Math.max(this.#lastMs + 0.05, performance.timeOrigin + performance.now());
    return this.#lastMs;
  }
}

/**
 * Whether a request asks about containers. The list counts too: it may be older than an event that comes
 * before it.
 */
function isInspect(path: string): boolean {
  return path.includes("/containers/") || path === "models";
}
