/**
 * Keeps the known facts about the runs of all containers, including recently removed ones. Bounded. It
 * judges nothing: see run-facts.ts and past.ts.
 */
import type { Container } from "../../engine/container.ts";
import type { ContainerEvent } from "../../engine/events.ts";
import { BoundedMap } from "../../ground/bounded-map.ts";
import { type Fact, factOf, factsOf, type PastRun, runsIn, withFact } from "./run-facts.ts";
import { slotsOf } from "./slots.ts";

/** What we keep about a container after its removal. Labels are not included, because they may be large. */
export type LastSeen = Pick<
  Container,
  | "id"
  | "name"
  | "startedAtMs"
  | "stopSignal"
  | "stopTimeoutMs"
  | "signalIsHidden"
  | "exitCodeIsHidden"
  | "restartCount"
> & { readonly slots: readonly string[] };

const CONTAINERS_MAX = 1_000;

export class RunHistory {
  readonly #facts = new BoundedMap<string, readonly Fact[]>(CONTAINERS_MAX);
  readonly #lastSeen = new BoundedMap<string, LastSeen>(CONTAINERS_MAX);

  record(event: ContainerEvent): void {
    const fact = factOf(event);
    if (fact !== undefined) this.#add(event.containerId, fact);
  }

  /** An inspect has shown the container. */
  saw(container: Container): void {
    for (const fact of factsOf(container)) this.#add(container.id, fact);
    const { id, name, startedAtMs, stopSignal, stopTimeoutMs } = container;
    const { signalIsHidden, exitCodeIsHidden, restartCount } = container;
    const seen = { id, name, startedAtMs, stopSignal, stopTimeoutMs };
    const rest = { signalIsHidden, exitCodeIsHidden, restartCount, slots: slotsOf(container) };
    this.#lastSeen.set(id, { ...seen, ...rest });
  }

  /** The runs of a container, oldest first. */
  runsOf(containerId: string): readonly PastRun[] {
    return runsIn(this.#facts.get(containerId) ?? []);
  }

  /** The result of the last inspect of a container, which may no longer exist. */
  lastSeenOf(containerId: string): LastSeen | undefined {
    return this.#lastSeen.get(containerId);
  }

  #add(containerId: string, fact: Fact): void {
    this.#facts.set(containerId, withFact(this.#facts.get(containerId) ?? [], fact));
  }
}
