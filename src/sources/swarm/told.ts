/** What the fleet was told of a task last, and what a sighting of a task means to the watch. Pure. */
import type { SwarmTask } from "../../engine/swarm.ts";
import type { Sighting } from "../sighting.ts";

export class Told {
  #sighting: Sighting | undefined;
  #text = "";
  #host: string | undefined;

  /** What was told last. */
  get sighting(): Sighting | undefined {
    return this.#sighting;
  }

  /** @returns false if the same was told last */
  isNew(sighting: Sighting): boolean {
    const text = textOf(sighting);
    if (text === this.#text && settingsOf(sighting) === settingsOf(this.#sighting)) return false;
    this.#sighting = sighting;
    this.#text = text;
    this.#host = undefined;
    return true;
  }

  /** Its address as DNS would name it; empty if none was told. Kept, since it is asked for at each answer of DNS. */
  get host(): string {
    this.#host ??= hostOf(this.#sighting);
    return this.#host;
  }
}

export function isDisabled(sighting: Sighting): boolean {
  return sighting.kind === "absent" && sighting.state === "disabled";
}

export function isStopping(sighting: Sighting): boolean {
  return sighting.kind === "present" && sighting.seen === "stopping";
}

export function takesRequests(sighting: Sighting | undefined): boolean {
  return sighting?.kind === "present" && sighting.seen === "routable";
}

function hostOf(told: Sighting | undefined): string {
  return told?.kind === "present" ? new URL(told.origin).hostname : "";
}

/** Says whether Swarm's DNS names it: it takes requests, and is reached at an address of its own, not at one of its node. */
export function isNameable(told: Sighting | undefined, { networks }: SwarmTask): boolean {
  const host = hostOf(told).replace(/^\[|\]$/g, "");
  return takesRequests(told) && networks.some(({ addresses }) => addresses.includes(host));
}

/** The same object for as long as the labels of the service stay the same. */
function settingsOf(sighting: Sighting | undefined): unknown {
  return sighting?.kind === "present" ? sighting.settings : undefined;
}

/** Its settings are left out: they may be long. */
function textOf(sighting: Sighting): string {
  return JSON.stringify(sighting.kind === "present" ? { ...sighting, settings: null } : sighting);
}

/** A task that ended long ago is listed for a while, and one on a node that is down for a day. */
export function isNoNews(told: Sighting | undefined, sighting: Sighting): boolean {
  if (told !== undefined || sighting.kind !== "absent") return false;
  return sighting.outlook === "gone" && sighting.state !== "disabled";
}
