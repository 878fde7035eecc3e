/**
 * Drains and undrains single containers for an operator: finds the container by name or id, and reports how many of
 * its requests are left. member.ts does the rest. This file does not know the command line or the control socket.
 */
import { quoted } from "../ground/printable.ts";
import { andMore, someOf } from "../ground/some-of.ts";
import { keyOf, type Rank, type Run } from "../routing/run.ts";
import type { Member } from "./member.ts";

export type DrainsInit = {
  readonly members: () => readonly Member[];
  readonly nextRank: () => Rank;
  readonly isReady: () => boolean;
  /** The engine has not reported its containers yet. */
  readonly awaitsEngine: () => boolean;
};

/** The result of `drain` or `undrain`. */
export type DrainResult =
  | {
      readonly kind: "done";
      readonly name: string;
      /** The drained or undrained run, for `stateOf`. */
      readonly run: string;
      readonly inFlight: number;
      /** False if the run was already in this state. */
      readonly isNew: boolean;
    }
  | {
      readonly kind: "impossible";
      /** Why, and which containers the proxy knows. */
      readonly reason: string;
    };

/** `over`: the run has ended. `unknown`: another proxy process drained it, and forgot that when it ended. */
export type DrainState =
  | { readonly state: "drained" | "undrained"; readonly inFlight: number }
  | { readonly state: "over" | "unknown"; readonly inFlight: 0 };

export class Drains {
  readonly #init: DrainsInit;
  /** Identifies this process. For a run from before its start, `stateOf` returns `unknown` and not `over`. */
  readonly #token = crypto.randomUUID();

  constructor(init: DrainsInit) {
    this.#init = init;
  }

  /** @param nameOrId a name, a whole id, or the beginning of an id: see `isMeant` */
  drain(nameOrId: string): DrainResult {
    return this.#change(nameOrId, true);
  }

  /** @param nameOrId as for `drain` */
  undrain(nameOrId: string): DrainResult {
    return this.#change(nameOrId, false);
  }

  /** @param run from the result of `drain` */
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

  /** A text that is unique for a run and for this process. */
  #textOf(run: Run | undefined): string | undefined {
    return run && `${keyOf(run)} ${run.startedAtMs} ${this.#token}`;
  }

  /** @returns the reason if no container fits, or more than one */
  #find(nameOrId: string): Member | string {
    const members = this.#init.members();
    const named = members.filter(({ name }) => name === nameOrId);
    // While a container is being replaced, two have its name. The running one is meant.
    const running = named.filter(({ run }) => run !== undefined);
    const [best = []] = [running, named, members.filter((one) => isMeant(one, nameOrId))].filter(
      (some) => some.length > 0,
    );
    const [only, ...others] = best;
    if (only === undefined) return this.#unknown(nameOrId, members);
    if (others.length === 0) return only;
    const found = names(best.map(({ name, id }) => `${name} (${id})`));
    return `${shown(nameOrId)} fits several containers: ${found}; give the whole id`;
  }

  #unknown(nameOrId: string, members: readonly Member[]): string {
    const none = `the proxy knows no container ${shown(nameOrId)}`;
    if (this.#init.awaitsEngine()) {
      return `${none} yet: it waits for the Docker engine's list of containers; if this lasts, lw-inference-proxy status says why`;
    }
    if (!this.#init.isReady()) return `${none} yet: it is starting; try again shortly`;
    if (members.length === 0) return `${none}, and no container with the label inference.enable`;
    return `${none}; it knows ${names(members.map(({ name }) => name).toSorted())}`;
  }
}

/** At least the 12 characters that Docker shows: hex for a container, [0-9a-z] for a task. */
const ID_BEGINNING = /^[\da-z]{12,}$/;

function isMeant({ id }: Member, text: string): boolean {
  return id === text || (ID_BEGINNING.test(text) && id.startsWith(text));
}

function notRoutable(member: Member): string {
  const { name, state, reason } = member.status(new Map());
  return `${name} gets no requests: it does not run, or the proxy cannot route it (${state}: ${reason})`;
}

const SHOWN_LENGTH_MAX = 100;

function shown(text: string): string {
  return quoted(text, SHOWN_LENGTH_MAX);
}

function names(all: readonly string[]): string {
  return andMore(someOf(all), all.length);
}
