/**
 * What servers are expected to serve, whether or not they do just now, and what keeps them from it. So a
 * model whose server starts again can be told from one that nobody knows.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import { type ModelNames, NameMap } from "./names.ts";
import type { Draining, Trouble, Unavailable, Unknown } from "./routes.ts";
import { keyOf, type Server } from "./run.ts";

export type Expectation = {
  readonly models: readonly ModelNames[];
  /** What is known to keep the server from taking requests; undefined if nothing is, or if it takes some. */
  readonly trouble?: Trouble | undefined;
  /** See `Nobody`. */
  readonly says?: string | undefined;
  readonly isHopeless?: boolean | undefined;
};

/** A model that some servers are expected to serve. */
export type Expected = { readonly id: string; readonly keys: string[] };

type Kept = Expectation & {
  /** The id of the model that has a name. */
  readonly ids: NameMap<string>;
};

/** With these a server can't be told from one that is gone for good. */
const LEAVING: ReadonlySet<Trouble | undefined> = new Set([
  "stopping",
  "drained",
  "misconfigured",
  "being replaced",
]);

/** Of so many models it is remembered what became of their servers. */
const LOST_MAX = 1_000;

const UNKNOWN: Unknown = { kind: "unknown" };

export class Expectations {
  /** By `keyOf`. Each server has names of its own, so that a change of one costs nothing for the others. */
  readonly #byServer = new Map<string, Kept>();
  /** By the id of a model. */
  readonly #lost = new BoundedMap<string, string>(LOST_MAX);

  /**
   * @param expectation undefined if nothing is known of what the server will serve
   * @param says what became of it then, in words for clients
   */
  set(server: Server, expectation: Expectation | undefined, says?: string): void {
    const key = keyOf(server);
    if (expectation === undefined) {
      const lost = this.#byServer.get(key)?.models ?? [];
      if (says !== undefined) {
        for (const { id } of lost.slice(0, LOST_MAX)) this.#lost.set(id, says);
      }
      this.#byServer.delete(key);
      return;
    }
    const known = this.#byServer.get(key);
    // The fleet says it at each look, mostly with the same list: then the names need not be made again.
    const isSame = known?.models === expectation.models;
    this.#byServer.set(key, {
      ...expectation,
      ids: isSame ? known.ids : idsByName(expectation.models),
    });
  }

  /** @param model that nobody is expected to serve */
  unknown(model: string): Unknown {
    const says = this.#lost.get(model);
    return says === undefined ? UNKNOWN : { kind: "unknown", says };
  }

  /** The servers that are there to stay, by `keyOf`. */
  get staying(): readonly string[] {
    return [...this.#byServer.keys()].filter((key) => !this.isLeaving(key));
  }

  /** @param key of a server, by `keyOf` */
  isLeaving(key: string): boolean {
    return LEAVING.has(this.#byServer.get(key)?.trouble);
  }

  /** The servers that are expected to serve this model, by `keyOf`. */
  having(model: string): readonly string[] {
    return [...this.#byServer]
      .filter(([, { ids }]) => ids.ofId(model) !== undefined)
      .map(([key]) => key);
  }

  /** By each rule of `names.ts` the model that has the name. */
  ofName(name: string): readonly (Expected | undefined)[] {
    const found: (Expected | undefined)[] = [];
    for (const [key, { ids }] of this.#byServer) {
      for (const [rule, id] of ids.ofName(name).entries()) {
        if (id === undefined) continue;
        const known = found[rule];
        if (known === undefined) found[rule] = { id, keys: [key] };
        else known.keys.push(key);
      }
    }
    return found;
  }

  /** @param keys of all who serve a model */
  draining(keys: readonly string[]): Draining {
    return { kind: "draining", trouble: this.#troubleOf(keys) };
  }

  /** @param keys of all who are expected to serve a model */
  unavailable(keys: readonly string[]): Unavailable {
    const kept = keys.map((key) => this.#byServer.get(key));
    const [only, ...others] = kept;
    const says = others.length === 0 ? only?.says : undefined;
    return {
      kind: "unavailable",
      trouble: this.#troubleOf(keys),
      ...(says !== undefined && { says }),
      ...(kept.every((one) => one?.isHopeless) && { isHopeless: true }),
    };
  }

  /** @returns what keeps all of these servers from taking requests, if that is the same */
  #troubleOf(keys: readonly string[]): Trouble | undefined {
    const [first, ...others] = keys.map((key) => this.#byServer.get(key)?.trouble);
    return others.every((other) => other === first) ? first : undefined;
  }
}

function idsByName(models: readonly ModelNames[]): NameMap<string> {
  const ids = new NameMap<string>();
  for (const model of models) ids.add(model, (known) => known ?? model.id);
  return ids;
}
