/**
 * Stands in for the polls of a manager, one after the other. Each poll gets its answer later, or gets none.
 * The answer has the state that the recording showed at the time of the question.
 */
import type { Service } from "../../../../src/engine/swarm.ts";
import type { Answer } from "../../../../src/sources/swarm/task-watch.ts";
import type { Random } from "../../client/random-json.ts";
import { answersAt, type Profile } from "./profile.ts";
import { type SwarmRecording, shownAt } from "./recording.ts";

type Poll = { readonly dueMs: number; readonly answer: Answer | undefined };

export class Manager {
  readonly #recording: SwarmRecording;
  readonly #profile: Profile;
  readonly #random: Random;
  readonly #labelled = new WeakMap<Service, Service>();
  #nextMs: number;
  #poll: Poll | undefined;
  #before: Answer | undefined;
  /** Whether the last poll was skipped or failed. In a strict run the next one is not. */
  #hasMissed = false;

  constructor(recording: SwarmRecording, profile: Profile, random: Random) {
    this.#recording = recording;
    this.#profile = profile;
    this.#random = random;
    this.#nextMs = profile.phaseMs;
  }

  /** @returns the answer that has arrived, or undefined */
  step(nowMs: number): Answer | undefined {
    const poll = this.#poll;
    if (poll !== undefined && poll.dueMs <= nowMs) {
      this.#poll = undefined;
      return poll.answer;
    }
    if (poll === undefined && this.#nextMs <= nowMs) this.#ask(nowMs);
    return undefined;
  }

  #ask(nowMs: number): void {
    const { periodMs, delayMs } = this.#profile;
    this.#nextMs += Math.max(periodMs, nowMs - this.#nextMs);
    const isMissed = this.#misses();
    const answer = isMissed ? undefined : this.#answer(nowMs);
    this.#poll = { dueMs: nowMs + this.#random(delayMs), answer };
  }

  #misses(): boolean {
    const { isStrict, periodMs, failsOneIn, skipsOneIn } = this.#profile;
    const isOneIn = (number: number): boolean => number > 0 && this.#random(number) === 0;
    const misses = isOneIn(failsOneIn) || isOneIn(skipsOneIn);
    const mayMiss = !isStrict || (!this.#hasMissed && periodMs <= 500);
    this.#hasMissed = misses && mayMiss;
    return this.#hasMissed;
  }

  #answer(nowMs: number): Answer | undefined {
    if (!answersAt(this.#profile, nowMs)) return undefined;
    const services = shownAt(this.#recording.services, nowMs);
    const tasks = shownAt(this.#recording.tasks, nowMs);
    if (services === undefined || tasks === undefined) return undefined;
    const answer = { services: services.map((one) => this.#label(one)), tasks };
    const before = this.#before ?? answer;
    this.#before = answer;
    const { late } = this.#profile;
    if (late === "services") return { ...answer, services: before.services };
    return late === "tasks" ? { ...answer, tasks: before.tasks } : answer;
  }

  /**
   * Copies the service: each answer of a manager is parsed again, so it shares no object with earlier
   * answers.
   */
  #label(service: Service): Service {
    const { replica } = this.#profile;
    const known = this.#labelled.get(service);
    if (known !== undefined) return { ...known };
    const labels = { ...service.labels, ...(replica && { "inference.replica": replica }) };
    this.#labelled.set(service, { ...service, labels });
    return { ...service, labels };
  }
}
