/**
 * Judges what takes requests, at each step of a replay: by what the watch has been told (`Told`), and by what is true
 * (`TaskTruth`). A judge never asks the watch.
 */
import type { Backend, CloseReason } from "../../../../src/routing/backend.ts";
import type { RoutingTable } from "../../../../src/routing/table.ts";
import type { Profile } from "./profile.ts";
import { PORT, type SwarmRecording, type TaskTruth } from "./recording.ts";
import type { Told, ToldOfTask } from "./told.ts";

export type JudgeInit = {
  readonly recording: SwarmRecording;
  readonly profile: Profile;
  readonly table: RoutingTable;
  readonly told: Told;
  /** The names of the services: each serves one model, that has its name. */
  readonly models: ReadonlyMap<string, string>;
  /** The longest time that a task takes from the first try to read its models to the end of the last one. */
  readonly readMs: (taskId: string) => number;
  readonly stepMs: number;
};

/** How long a task that is to drain may go on, if another one is about to take its place. */
const PUT_OFF_MS = 1_000;
/** Within this time of the decision the process has not heard of it. */
const SAFE_MS = 1_900;
/** A decision that is taken this long before SIGTERM was a planned one, of which a manager tells. */
const PLANNED_MS = 2_000;
/** Reads of models up to this are done while the old task still goes on. */
const QUICK_READ_MS = 900;

const NEVER = Number.POSITIVE_INFINITY;

/** How often each rule had something to judge: a rule that never has proves nothing. */
export type Judged = Readonly<Record<"stops" | "running" | "handovers" | "ended", number>>;

export class Judge {
  readonly objections: string[] = [];
  readonly #init: JudgeInit;
  /** By the id of their service. */
  readonly #lives: ReadonlyMap<string, readonly Life[]>;
  readonly #slackMs: number;
  /** The engine was no manager for a while. */
  #wasLeft = false;
  /** Tasks that took requests at the last step. */
  #active: ReadonlySet<string> = new Set();
  /** Tasks that are to stop and go on though nobody comes in their place, and since when. */
  readonly #withoutReasonMs = new Map<string, number>();
  /** Tasks that took requests at some time. */
  readonly #served = new Set<string>();
  readonly judged = { stops: 0, running: 0, handovers: 0, ended: 0 };

  constructor(init: JudgeInit) {
    this.#init = init;
    this.#lives = Map.groupBy(
      [...init.recording.truths.values()].map(lifeOf),
      ({ truth }) => truth.serviceId,
    );
    this.#slackMs = 3 * init.stepMs;
  }

  step(nowMs: number): void {
    const active = this.active;
    const ids = new Set(active.map(({ run }) => run.id));
    this.#active = ids;
    for (const id of ids) this.#served.add(id);
    for (const backend of active) this.#mayTake(backend, nowMs);
    this.#count(nowMs);
    this.#haveAddressesOfTheirOwn(active, nowMs);
    this.#wasLeft ||= this.#init.told.isLeft;
    if (this.#init.told.isLeft) return;
    for (const [id, told] of this.#init.told.tasks) this.#isNotLost(id, told, ids, nowMs);
    for (const [serviceId, model] of this.#init.models)
      this.#isServed(serviceId, model, ids, nowMs);
  }

  /** To be called with each backend that a request is sent to. */
  lease(backend: Backend, nowMs: number): void {
    this.#mayTake(backend, nowMs);
  }

  /** Says what is wrong if a backend closes while a request is in flight there. */
  closes({ run: { id } }: Backend, why: CloseReason): string | undefined {
    const told = this.#init.told.tasks.get(id);
    if (told === undefined || this.#wasLeft) return undefined; // the one that was left may be cut
    const isToStop = told.stopMs !== undefined || told.atOnceMs !== undefined || told.wasOff;
    if (why === "run-over" && told.overMs === undefined)
      return `${id} was closed though it goes on`;
    return why === "cut" && isToStop !== true
      ? `${id} was cut though it was not told to stop`
      : undefined;
  }

  /** All that take requests now. */
  get active(): readonly Backend[] {
    const { models, table } = this.#init;
    const all = [...models.values()].flatMap((model) => table.servedBy(model)?.backends ?? []);
    return all.filter(({ state }) => state === "active");
  }

  /** Of tasks that took requests once, and got their SIGTERM or ended: with each step they are judged. */
  #count(nowMs: number): void {
    for (const id of this.#served) {
      if ((this.#init.recording.truths.get(id)?.termMs ?? NEVER) <= nowMs) this.judged.stops += 1;
      if (this.#init.told.tasks.get(id)?.overMs !== undefined) this.judged.ended += 1;
    }
  }

  #mayTake({ run: { id }, origin }: Backend, nowMs: number): void {
    const { told, recording } = this.#init;
    const object = (text: string): void => this.#object(nowMs, `${id} takes requests ${text}`);
    if (told.isLeft) object("though the engine is no manager any more");
    const truth = recording.truths.get(id);
    if (truth !== undefined) this.#isNotStopped(truth, nowMs);
    const of = told.tasks.get(id);
    if (of === undefined) return;
    if (origin !== `http://${of.address}:${PORT}`) object(`at ${origin}, not at ${of.address}`);
    if (of.wantedMs === undefined && of.stopMs === undefined) {
      object("and is not shown to run, or its label is off");
    }
    if (of.overMs !== undefined) object("though it was told to have ended");
    if (of.atOnceMs !== undefined) object("though its node told that it is to stop or unhealthy");
    this.#isNotPutOffTooLong(id, of, nowMs);
  }

  #isNotPutOffTooLong(id: string, told: ToldOfTask, nowMs: number): void {
    const { stopMs = NEVER, missingMs = NEVER, serviceId } = told;
    const slackMs = this.#slackMs;
    if (nowMs > Math.min(stopMs, missingMs) + PUT_OFF_MS + slackMs) {
      this.#object(nowMs, `${id} takes requests though it was told to stop long ago`);
    }
    if (stopMs === NEVER || this.#hasComing(serviceId)) this.#withoutReasonMs.delete(id);
    else if (nowMs > this.#sinceWithoutReason(id, nowMs) + slackMs) {
      this.#object(nowMs, `${id} takes requests though it is to stop and nobody is waited for`);
    }
  }

  /** Some task of the service is shown to run and takes no requests yet. */
  #hasComing(serviceId: string): boolean {
    return [...this.#init.told.tasks].some(
      ([id, told]) =>
        told.serviceId === serviceId && told.wantedMs !== undefined && !this.#active.has(id),
    );
  }

  #sinceWithoutReason(id: string, nowMs: number): number {
    const sinceMs = this.#withoutReasonMs.get(id) ?? nowMs;
    this.#withoutReasonMs.set(id, sinceMs);
    return sinceMs;
  }

  /** True if a request in flight there should have been told that its server has ended. */
  isOver({ run }: Backend): boolean {
    const told = this.#init.told.tasks.get(run.id);
    // Of one that was left nothing is told any more: its requests end with their connections, or when they are cut.
    return told?.overMs !== undefined && told.wasOff !== true && !this.#wasLeft;
  }

  /** Rule 1. In a strict run every planned stop is known in time; with other tellers, others too. */
  #isNotStopped(truth: TaskTruth, nowMs: number): void {
    const { id, termMs = NEVER, decidedMs = NEVER, unhealthyMs = NEVER } = truth;
    const { isStrict, namesEveryMs, ownNode, away } = this.#init.profile;
    if (!isStrict || away !== undefined) return;
    const isPlanned = termMs - decidedMs >= PLANNED_MS;
    // An answer of DNS without addresses says nothing: it must name another one.
    const isMissed = namesEveryMs !== undefined && termMs - unhealthyMs >= PLANNED_MS;
    const isTold =
      isPlanned || truth.node === ownNode || (isMissed && this.#othersLive(truth, nowMs));
    if (isTold && nowMs >= termMs) this.#object(nowMs, `${id} takes requests after its SIGTERM`);
  }

  #othersLive({ id, serviceId }: TaskTruth, nowMs: number): boolean {
    return this.#livingOf(serviceId, nowMs).some((other) => other.id !== id);
  }

  #livingOf(serviceId: string, nowMs: number): readonly TaskTruth[] {
    return (this.#lives.get(serviceId) ?? [])
      .filter(({ fromMs, untilMs }) => fromMs <= nowMs && nowMs < untilMs)
      .map(({ truth }) => truth);
  }

  #haveAddressesOfTheirOwn(active: readonly Backend[], nowMs: number): void {
    const owners = new Map<string, string>();
    for (const { origin, run } of active) {
      const other = owners.get(origin);
      if (other !== undefined && other !== run.id) {
        this.#object(nowMs, `${other} and ${run.id} take requests at ${origin}`);
      }
      owners.set(origin, run.id);
    }
  }

  /** Rule 2: who was shown to run for long enough takes requests. */
  #isNotLost(id: string, told: ToldOfTask, active: ReadonlySet<string>, nowMs: number): void {
    const { wantedMs = NEVER, missingMs, atOnceMs, overMs } = told;
    if (missingMs !== undefined || atOnceMs !== undefined || overMs !== undefined) return;
    const { endedMs = NEVER } = this.#init.recording.truths.get(id) ?? {};
    if (nowMs >= endedMs) return; // nobody has been told yet, and its models can't be read
    if (nowMs < wantedMs + this.#init.readMs(id) + this.#slackMs) return;
    this.judged.running += 1;
    if (!active.has(id)) this.#object(nowMs, `${id} runs and takes no requests`);
  }

  /** Rule 4: while one task runs in the place of another that still goes on, there is always one that takes requests. */
  #isServed(serviceId: string, model: string, active: ReadonlySet<string>, nowMs: number): void {
    const { profile, told } = this.#init;
    if (!profile.isStrict || profile.away !== undefined) return;
    const living = this.#livingOf(serviceId, nowMs);
    const next = living.find(({ decidedMs = NEVER }) => nowMs < decidedMs);
    const old = living.find(
      ({ id, decidedMs = NEVER }) =>
        id !== next?.id && nowMs < decidedMs + SAFE_MS && this.#served.has(id),
    );
    if (next === undefined || old === undefined || !told.isEnabled(serviceId)) return;
    if (living.some(({ id }) => this.#init.readMs(id) > QUICK_READ_MS)) return;
    this.judged.handovers += 1;
    if (living.some(({ id }) => active.has(id))) return;
    this.#object(
      nowMs,
      `nobody takes requests for ${model}, though ${old.id} goes on until ${next.id} does`,
    );
  }

  #object(nowMs: number, text: string): void {
    if (this.objections.length < 3) this.objections.push(`at ${nowMs} ms ${text}`);
  }
}

/** When the process of a task runs, is healthy, and has not been told to stop. */
type Life = { readonly truth: TaskTruth; readonly fromMs: number; readonly untilMs: number };

function lifeOf(truth: TaskTruth): Life {
  const { runningMs = NEVER, unhealthyMs = NEVER, termMs = NEVER, endedMs = NEVER } = truth;
  return { truth, fromMs: runningMs, untilMs: Math.min(unhealthyMs, termMs, endedMs) };
}
