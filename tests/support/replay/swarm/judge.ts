/**
 * Judges the tasks that take requests, at each step of a replay. It uses the reports to the watch (`Told`)
 * and the truth (`TaskTruth`). It never asks the watch.
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
  /** Service id → service name. Each service serves one model, which has the service's name. */
  readonly models: ReadonlyMap<string, string>;
  /** The longest time for a task from the first try to read its models to the end of the last try. */
  readonly readMs: (taskId: string) => number;
  readonly stepMs: number;
};

/** How long a draining task may continue if another one is about to replace it. */
const PUT_OFF_MS = 1_000;
/** Within this time after the decision, the process has not received a signal. */
const SAFE_MS = 1_900;
/** A decision this long before SIGTERM was planned. Managers report planned decisions. */
const PLANNED_MS = 2_000;
/** Reads of models up to this long end while the old task still runs. */
const QUICK_READ_MS = 900;

const NEVER = Number.POSITIVE_INFINITY;

/** How often each rule had a case to judge. A rule without cases proves nothing. */
export type Judged = Readonly<Record<"stops" | "running" | "handovers" | "ended", number>>;

export class Judge {
  readonly objections: string[] = [];
  readonly #init: JudgeInit;
  /** By the service's id. */
  readonly #lives: ReadonlyMap<string, readonly Life[]>;
  readonly #slackMs: number;
  /** For a while, the engine was no manager. */
  #wasLeft = false;
  /** Tasks that took requests at the last step. */
  #active: ReadonlySet<string> = new Set();
  /** Task → since when it continues although it is to stop and no other task replaces it. */
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

  /** Call this with each backend that gets a request. */
  lease(backend: Backend, nowMs: number): void {
    this.#mayTake(backend, nowMs);
  }

  /** Returns the error if a backend closes wrongly while it has a request in flight. */
  closes({ run: { id } }: Backend, why: CloseReason): string | undefined {
    const told = this.#init.told.tasks.get(id);
    if (told === undefined || this.#wasLeft) return undefined; // after the manager is gone, a backend may be cut
    const isToStop = told.stopMs !== undefined || told.atOnceMs !== undefined || told.wasOff;
    if (why === "run-over" && told.overMs === undefined)
      return `${id} was closed although its task continues`;
    return why === "cut" && isToStop !== true
      ? `${id} was cut although its task was not told to stop`
      : undefined;
  }

  /** All backends that take requests now. */
  get active(): readonly Backend[] {
    const { models, table } = this.#init;
    const all = [...models.values()].flatMap((model) => table.servedBy(model)?.backends ?? []);
    return all.filter(({ state }) => state === "active");
  }

  /** Counts tasks that took requests and got SIGTERM or ended. Each step judges them. */
  #count(nowMs: number): void {
    for (const id of this.#served) {
      if ((this.#init.recording.truths.get(id)?.termMs ?? NEVER) <= nowMs) this.judged.stops += 1;
      if (this.#init.told.tasks.get(id)?.overMs !== undefined) this.judged.ended += 1;
    }
  }

  #mayTake({ run: { id }, origin }: Backend, nowMs: number): void {
    const { told, recording } = this.#init;
    const object = (text: string): void => this.#object(nowMs, `${id} takes requests ${text}`);
    if (told.isLeft) object("although the engine is no longer a manager");
    const truth = recording.truths.get(id);
    if (truth !== undefined) this.#isNotStopped(truth, nowMs);
    const of = told.tasks.get(id);
    if (of === undefined) return;
    if (origin !== `http://${of.address}:${PORT}`) object(`at ${origin}, not at ${of.address}`);
    if (of.wantedMs === undefined && of.stopMs === undefined) {
      object("but is not shown as running, or its label is off");
    }
    if (of.overMs !== undefined) object("although it was reported as ended");
    if (of.atOnceMs !== undefined)
      object("although its node reported a stop signal or that it is unhealthy");
    this.#isNotPutOffTooLong(id, of, nowMs);
  }

  #isNotPutOffTooLong(id: string, told: ToldOfTask, nowMs: number): void {
    const { stopMs = NEVER, missingMs = NEVER, serviceId } = told;
    const slackMs = this.#slackMs;
    if (nowMs > Math.min(stopMs, missingMs) + PUT_OFF_MS + slackMs) {
      this.#object(nowMs, `${id} takes requests although it was told to stop long ago`);
    }
    if (stopMs === NEVER || this.#hasComing(serviceId)) this.#withoutReasonMs.delete(id);
    else if (nowMs > this.#sinceWithoutReason(id, nowMs) + slackMs) {
      this.#object(
        nowMs,
        `${id} takes requests although it is to stop and no other task is about to replace it`,
      );
    }
  }

  /** Whether a task of the service is shown as running but takes no requests yet. */
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

  /** Whether requests in flight there should have been told that their server has ended. */
  isOver({ run }: Backend): boolean {
    const told = this.#init.told.tasks.get(run.id);
    // After the manager is gone, no source reports this: the requests end with their connections, or are cut.
    return told?.overMs !== undefined && told.wasOff !== true && !this.#wasLeft;
  }

  /**
   * Rule 1. In a strict run the proxy knows every planned stop in time. With other reporters it knows other
   * stops too.
   */
  #isNotStopped(truth: TaskTruth, nowMs: number): void {
    const { id, termMs = NEVER, decidedMs = NEVER, unhealthyMs = NEVER } = truth;
    const { isStrict, namesEveryMs, ownNode, away } = this.#init.profile;
    if (!isStrict || away !== undefined) return;
    const isPlanned = termMs - decidedMs >= PLANNED_MS;
    // A DNS answer without addresses means nothing. It must name another address.
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

  /** Rule 2: a task that was shown as running for long enough takes requests. */
  #isNotLost(id: string, told: ToldOfTask, active: ReadonlySet<string>, nowMs: number): void {
    const { wantedMs = NEVER, missingMs, atOnceMs, overMs } = told;
    if (missingMs !== undefined || atOnceMs !== undefined || overMs !== undefined) return;
    const { endedMs = NEVER } = this.#init.recording.truths.get(id) ?? {};
    if (nowMs >= endedMs) return; // not reported yet, and its models are unreadable
    if (nowMs < wantedMs + this.#init.readMs(id) + this.#slackMs) return;
    this.judged.running += 1;
    if (!active.has(id)) this.#object(nowMs, `${id} runs but takes no requests`);
  }

  /** Rule 4: while one task runs to replace another one that still runs, at least one task takes requests. */
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
      `no task takes requests for ${model}, although ${old.id} must continue until ${next.id} takes them`,
    );
  }

  #object(nowMs: number, text: string): void {
    if (this.objections.length < 3) this.objections.push(`at ${nowMs} ms ${text}`);
  }
}

/** The time in which a task's process runs, is healthy, and has not been told to stop. */
type Life = { readonly truth: TaskTruth; readonly fromMs: number; readonly untilMs: number };

function lifeOf(truth: TaskTruth): Life {
  const { runningMs = NEVER, unhealthyMs = NEVER, termMs = NEVER, endedMs = NEVER } = truth;
  return { truth, fromMs: runningMs, untilMs: Math.min(unhealthyMs, termMs, endedMs) };
}
