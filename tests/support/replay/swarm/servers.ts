/**
 * Stand-ins for the servers in the tasks of a replay: they give their models, some after a failure or two.
 * The task that has an address now answers there. Nothing is sent over a network: the time is that of the
 * timers.
 */
import type { ModelList } from "../../../../src/fleet/model-list.ts";
import { ModelsUnreadable } from "../../../../src/fleet/models-failure.ts";
import type { Random } from "../../client/random-json.ts";
import { listOf } from "../../server/backends.ts";
import type { Profile } from "./profile.ts";
import { listedAt, PORT, type SwarmRecording, type TaskTruth } from "./recording.ts";

type ServersInit = {
  readonly recording: SwarmRecording;
  readonly profile: Profile;
  readonly random: Random;
  /** Service id → service name. Each service serves one model, which has the service's name. */
  readonly models: ReadonlyMap<string, string>;
  readonly nowMs: () => number;
};

/** The fleet tries again after this time, then after twice the time. */
const RETRY_MS = 250;

export class Servers {
  /** How many reads run now. */
  reads = 0;
  /** When the last read ended. */
  readEndMs = 0;
  readonly #init: ServersInit;
  /** Task → how long each try to read its models takes. All tries except the last one fail. */
  readonly #plans = new Map<string, readonly number[]>();
  readonly #tries = new Map<string, number>();

  constructor(init: ServersInit) {
    this.#init = init;
  }

  async read(url: string, signal: AbortSignal): Promise<ModelList> {
    const tenant = this.#tenantOf(url);
    const tries = this.#tries.get(tenant?.id ?? "") ?? 0;
    if (tenant !== undefined) this.#tries.set(tenant.id, tries + 1);
    const delaysMs = this.#plan(tenant?.id ?? "");
    this.reads += 1;
    await Promise.race([passed(delaysMs[tries] ?? 1), abortOf(signal)]).finally(() => {
      this.reads -= 1;
      this.readEndMs = this.#init.nowMs();
    });
    const model = this.#init.models.get(tenant?.serviceId ?? "");
    const isLoading = tries < delaysMs.length - 1;
    if (model === undefined || isLoading) throw new ModelsUnreadable("it is loading");
    return listOf(model);
  }

  /**
   * The longest time from the first try to read the models of a task to the end. Each part ends with a step.
   */
  readMs(taskId: string, stepMs: number): number {
    const delaysMs = this.#plan(taskId);
    const pausesMs = delaysMs.slice(1).reduce((sum, _, n) => sum + RETRY_MS * 2 ** n, 0);
    return delaysMs.reduce((sum, one) => sum + one, pausesMs) + 2 * delaysMs.length * stepMs;
  }

  #tenantOf(url: string): TaskTruth | undefined {
    const { recording, nowMs } = this.#init;
    const { host } = new URL(url);
    const tasks = listedAt(recording, nowMs());
    const at = tasks.filter(({ networks }) => `${networks[0]?.addresses[0]}:${PORT}` === host);
    return at
      .flatMap(({ id }) => recording.truths.get(id) ?? [])
      .find(
        ({ runningMs, endedMs = Number.POSITIVE_INFINITY }) =>
          runningMs !== undefined && nowMs() < endedMs,
      );
  }

  #plan(taskId: string): readonly number[] {
    const known = this.#plans.get(taskId);
    if (known !== undefined) return known;
    const { random, profile } = this.#init;
    const { readMs, readFailsOneIn } = profile;
    const fails = readFailsOneIn > 0 && random(readFailsOneIn) === 0 ? 1 + random(2) : 0;
    const plan = Array.from({ length: fails + 1 }, () => random(readMs));
    this.#plans.set(taskId, plan);
    return plan;
  }
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
