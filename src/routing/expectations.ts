/**
 * What servers are expected to serve, whether or not they do just now, and what keeps them from it. So a
 * model whose server starts again can be told from one that nobody knows.
 */
import { type ModelNames, NameMap } from "./names.ts";
import type { Trouble } from "./routes.ts";
import { keyOf, type Server } from "./run.ts";

export type Expectation = {
  readonly models: readonly ModelNames[];
  /** What is known to keep the server from taking requests; undefined if nothing is, or if it takes some. */
  readonly trouble?: Trouble | undefined;
};

/** A model that some servers are expected to serve. */
export type Expected = { readonly id: string; readonly keys: string[] };

export class Expectations {
  /** By `keyOf`. */
  readonly #byServer = new Map<string, Expectation>();
  /** Made when somebody looks, and again when other models are expected: that happens rarely. */
  #names: NameMap<Expected> | undefined;

  /** @param expectation undefined if nothing is known of what the server will serve */
  set(server: Server, expectation: Expectation | undefined): void {
    const key = keyOf(server);
    // The fleet says it at each look, mostly with the same list.
    if (this.#byServer.get(key)?.models !== expectation?.models) this.#names = undefined;
    if (expectation === undefined) this.#byServer.delete(key);
    else this.#byServer.set(key, expectation);
  }

  /** By each rule of `names.ts` the model that has the name. */
  ofName(name: string): readonly (Expected | undefined)[] {
    this.#names ??= this.#namesNow();
    return this.#names.ofName(name);
  }

  /** @returns what keeps all of these servers from taking requests, if that is the same */
  troubleOf(keys: readonly string[]): Trouble | undefined {
    const [first, ...others] = keys.map((key) => this.#byServer.get(key)?.trouble);
    return others.every((other) => other === first) ? first : undefined;
  }

  #namesNow(): NameMap<Expected> {
    const names = new NameMap<Expected>();
    for (const [key, { models }] of this.#byServer) {
      for (const model of models) {
        names.add(model, (known) => {
          if (known === undefined) return { id: model.id, keys: [key] };
          if (known.keys.at(-1) !== key) known.keys.push(key);
          return known;
        });
      }
    }
    return names;
  }
}
