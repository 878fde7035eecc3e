/** Holds the last reported sighting of a task, and answers questions about sightings for the watch. Pure. */
import type { SwarmTask } from "../../engine/swarm.ts";
import type { Sighting } from "../sighting.ts";

export class Told {
  #sighting: Sighting | undefined;
  #text = "";
  #host: string | undefined;

  /** The last reported sighting. */
  get sighting(): Sighting | undefined {
    return this.#sighting;
  }

  /** Stores the sighting. @returns false if it is the same as the last one */
  isNew(sighting: Sighting): boolean {
    const text = textOf(sighting);
    if (text === this.#text && settingsOf(sighting) === settingsOf(this.#sighting)) return false;
    this.#sighting = sighting;
    this.#text = text;
    this.#host = undefined;
    return true;
  }

  /** Its address in the form of a DNS answer; empty if unknown. Cached, because each DNS answer needs it. */
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

/** True if Swarm's DNS lists it: it takes requests, at an address of its own and not of its node. */
export function isNameable(told: Sighting | undefined, { networks }: SwarmTask): boolean {
  const host = hostOf(told).replace(/^\[|\]$/g, "");
  return takesRequests(told) && networks.some(({ addresses }) => addresses.includes(host));
}

/** The same object while the labels of the service stay the same. */
function settingsOf(sighting: Sighting | undefined): unknown {
  return sighting?.kind === "present" ? sighting.settings : undefined;
}

/** Leaves out the settings, because they may be long. */
function textOf(sighting: Sighting): string {
  return JSON.stringify(sighting.kind === "present" ? { ...sighting, settings: null } : sighting);
}

/**
 * True for a task that had ended before we saw it. The manager lists ended tasks for a while, and tasks
 * on a node that is down for a day.
 */
export function isNoNews(told: Sighting | undefined, sighting: Sighting): boolean {
  if (told !== undefined || sighting.kind !== "absent") return false;
  return sighting.outlook === "gone" && sighting.state !== "disabled";
}
