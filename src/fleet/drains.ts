/**
 * Takes single containers out, and back, because somebody asks for that: finds the one that is meant, and tells how
 * many of its requests are left. member.ts does the rest. It knows nothing of who asks, and how.
 */
import { quoted } from "../ground/printable.ts";
import { andMore, someOf } from "../ground/some-of.ts";
import { keyOf, type Rank, type Run } from "../routing/run.ts";
import type { Member } from "./member.ts";

export type DrainsInit = {
  readonly members: () => readonly Member[];
  readonly nextRank: () => Rank;
  readonly isReady: () => boolean;
};

/** What a request to drain or undrain comes to. */
export type DrainResult =
  | {
      readonly kind: "done";
      readonly name: string;
      /** The run that it is about, for `stateOf`. */
      readonly run: string;
      readonly inFlight: number;
      /** False if it was so already. */
      readonly isNew: boolean;
    }
  | {
      readonly kind: "impossible";
      /** Why, and which containers there are. */
      readonly reason: string;
    };

/** `over`: the run has ended. `unknown`: another process has drained it, which forgot that when it ended. */
export type DrainState =
  | { readonly state: "drained" | "undrained"; readonly inFlight: number }
  | { readonly state: "over" | "unknown"; readonly inFlight: 0 };

export class Drains {
  readonly #init: DrainsInit;
  /** Of this process. A proxy that is started anew must not take a run that it has not met yet for one that is over. */
  readonly #token = crypto.randomUUID();

  constructor(init: DrainsInit) {
    this.#init = init;
  }

  /** @param nameOrId a name, a whole id, or its beginning: see `isMeant` */
  drain(nameOrId: string): DrainResult {
    return this.#change(nameOrId, true);
  }

  /** @param nameOrId as for `drain` */
  undrain(nameOrId: string): DrainResult {
    return this.#change(nameOrId, false);
  }

  /** @param run as `drain` has told it */
  stateOf(run: string): DrainState {
    if (!run.endsWith(this.#token)) return { state: "unknown", inFlight: 0 };
    const member = this.#init.members().find((one) => this.#textOf(one.run) === run);
    if (member === undefined) return { state: "over", inFlight: 0 };
    const { isDrained, inFlight } = member;
    return { state: isDrained ? "drained" : "undrained", inFlight };
  }

  #change(nameOrId: string, isDrained: boolean): DrainResult {
    const member = this.#find(nameOrId);
    if (typeof member === "string") return { kind: "impossible", reason: member };
    const run = this.#textOf(member.run);
    if (run === undefined) return { kind: "impossible", reason: notRoutable(member) };
    const isNew = member.isDrained !== isDrained;
    if (isNew) member[isDrained ? "drain" : "undrain"](this.#init.nextRank());
    return { kind: "done", name: member.name, run, inFlight: member.inFlight, isNew };
  }

  /** A run as a text that no other run has, and no other process. */
  #textOf(run: Run | undefined): string | undefined {
    return run && `${keyOf(run)} ${run.startedAtMs} ${this.#token}`;
  }

  /** @returns the reason if there is none, or more than one */
  #find(nameOrId: string): Member | string {
    const members = this.#init.members();
    const named = members.filter(({ name }) => name === nameOrId);
    // While one is replaced by another of its name, the one that runs is meant.
    const running = named.filter(({ run }) => run !== undefined);
    const [best = []] = [running, named, members.filter((one) => isMeant(one, nameOrId))].filter(
      (some) => some.length > 0,
    );
    const [only, ...others] = best;
    if (only === undefined) return this.#unknown(nameOrId, members);
    if (others.length === 0) return only;
    return `${shown(nameOrId)} may mean ${names(best.map(({ name, id }) => `${name} (${id})`))}: give the whole id`;
  }

  #unknown(nameOrId: string, members: readonly Member[]): string {
    const none = `the proxy knows no container ${shown(nameOrId)}`;
    if (!this.#init.isReady()) return `${none} yet: it is starting; try again shortly`;
    if (members.length === 0) return `${none}, and no other with a label inference.enable`;
    return `${none}; it knows ${names(members.map(({ name }) => name).toSorted())}`;
  }
}

/** The beginning of an id must be as long as the one that Docker shows: of a container in hex, of a task in [0-9a-z]. */
const ID_BEGINNING = /^[\da-z]{12,}$/;

function isMeant({ id }: Member, text: string): boolean {
  return id === text || (ID_BEGINNING.test(text) && id.startsWith(text));
}

function notRoutable(member: Member): string {
  const { name, state, reason } = member.status(new Map());
  return `${name} takes no requests anyway, since it can't be routed or does not run (${state}: ${reason})`;
}

const SHOWN_LENGTH_MAX = 100;

function shown(text: string): string {
  return quoted(text, SHOWN_LENGTH_MAX);
}

function names(all: readonly string[]): string {
  return andMore(someOf(all), all.length);
}
