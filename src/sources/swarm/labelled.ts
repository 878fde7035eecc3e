/**
 * Keeps the services of a swarm with their parsed labels. There may be many services with long labels,
 * so it parses labels again only when they change. Pure.
 */
import type { Service } from "../../engine/swarm.ts";
import type { Labels } from "../labels.ts";
import { isOurs, readServiceLabels } from "./labels.ts";

export type Labelled = {
  readonly service: Service;
  /** Undefined if no label is meant for us, or if the service is a job. Then we ignore its tasks. */
  readonly labels: Labels | undefined;
};

export class LabelledServices {
  /** By their ids. */
  #all: ReadonlyMap<string, Labelled> = new Map();

  /** @param services all existing services */
  take(services: readonly Service[]): void {
    this.#all = new Map(services.map((service) => [service.id, this.#labelled(service)]));
  }

  get(id: string): Labelled | undefined {
    return this.#all.get(id);
  }

  /** The services with a label that is meant for us. */
  get ours(): readonly Service[] {
    return [...this.#all.values()]
      .filter(({ labels }) => labels !== undefined)
      .map(({ service }) => service);
  }

  #labelled(service: Service): Labelled {
    const known = this.#all.get(service.id);
    if (known !== undefined && hasSameLabels(known.service, service)) {
      return { service, labels: known.labels };
    }
    const labels = service.isJob || !isOurs(service) ? undefined : readServiceLabels(service);
    return { service, labels };
  }
}

function hasSameLabels(one: Service, other: Service): boolean {
  return (
    one.isJob === other.isJob &&
    Bun.deepEquals(one.labels, other.labels) &&
    Bun.deepEquals(one.containerLabels, other.containerLabels)
  );
}
