/**
 * Which models each server is expected to serve, even if it does not serve them now, and what keeps it from that.
 * So the proxy can tell a model whose server is starting again from an unknown model.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import { type ModelNames, NameMap } from "./names.ts";
import type { Draining, Trouble, Unavailable, Unknown } from "./routes.ts";
import { keyOf, type Server } from "./run.ts";

export type Expectation = {
  readonly models: readonly ModelNames[];
  /** What keeps the server from taking requests. Undefined if we know of nothing, or if it takes requests. */
  readonly trouble?: Trouble | undefined;
  /** See `Unavailable`. */
  readonly says?: string | undefined;
  readonly isHopeless?: boolean | undefined;
};

/** A model that servers are expected to serve, and the keys of these servers. */
export type Expected = { readonly id: string; readonly keys: string[] };

type Kept = Expectation & {
  /** Name → id of the model. */
  readonly ids: NameMap<string>;
};

/** With these troubles a server may be gone for good. */
const LEAVING: ReadonlySet<Trouble | undefined> = new Set([
  "stopping",
  "drained",
  "misconfigured",
  "being replaced",
]);

/** The most models for which we remember what became of their servers. */
const LOST_MAX = 1_000;

const UNKNOWN: Unknown = { kind: "unknown" };

export class Expectations {
  /** By `keyOf`. Each server has a name map of its own, so a change of one server costs nothing for the others. */
  readonly #byServer = new Map<string, Kept>();
  /** Model id → what became of its last server, in words for clients. */
  readonly #lost = new BoundedMap<string, string>(LOST_MAX);

  /**
   * @param expectation undefined if we expect no models of the server
   * @param says with an undefined `expectation`: what became of the server, in words for clients
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
    // The fleet calls this at each look, mostly with the same list. Then we keep the name map.
    const isSame = known?.models === expectation.models;
    this.#byServer.set(key, {
      ...expectation,
      ids: isSame ? known.ids : idsByName(expectation.models),
    });
  }

  /** @param model that no server is expected to serve */
  unknown(model: string): Unknown {
    const says = this.#lost.get(model);
    return says === undefined ? UNKNOWN : { kind: "unknown", says };
  }

  /** The keys of the servers that are not about to leave, by `keyOf`. */
  get staying(): readonly string[] {
    return [...this.#byServer.keys()].filter((key) => !this.isLeaving(key));
  }

  /** @param key of a server, by `keyOf` */
  isLeaving(key: string): boolean {
    return LEAVING.has(this.#byServer.get(key)?.trouble);
  }

  /** The keys of the servers that are expected to serve this model, by `keyOf`. */
  having(model: string): readonly string[] {
    return [...this.#byServer]
      .filter(([, { ids }]) => ids.ofId(model) !== undefined)
      .map(([key]) => key);
  }

  /** The model of the name by each rule of `names.ts`, in the order of the rules. */
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

  /** @param keys of all servers of a model */
  draining(keys: readonly string[]): Draining {
    return { kind: "draining", trouble: this.#troubleOf(keys) };
  }

  /** @param keys of all servers that are expected to serve a model */
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

  /** @returns the trouble of these servers if all have the same, otherwise undefined */
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
