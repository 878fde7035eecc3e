/**
 * Warnings that are given once for as long as nothing changes. They are kept by container, also while
 * that does not run: one that crashes and starts again for ever is not a new one each time.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import type { Log } from "./log.ts";

type Fields = Readonly<Record<string, unknown>>;

type Warning = {
  readonly containerIds: readonly string[];
  readonly text: string;
};

/** Containers that are gone are forgotten; this is for an engine that never says so. */
const KEPT_MAX = 10_000;

export class WarnOnce {
  readonly #log: Log;
  readonly #given = new BoundedMap<string, Warning>(KEPT_MAX);

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Warns, unless the last warning with this message about these containers said the same.
   *
   * @param said what makes it another warning; must be short, for it is kept
   */
  warn(
    containerIds: readonly string[],
    message: string,
    fields: Fields,
    said = JSON.stringify(fields["reason"] ?? ""),
  ): void {
    const key = `${[...containerIds].sort().join(" ")} ${message}`;
    if (this.#given.get(key)?.text === said) return;
    this.#given.set(key, { containerIds, text: said });
    this.#log.warn(message, fields);
  }

  /** There is no such container any more. */
  forget(containerId: string): void {
    for (const [key, { containerIds }] of this.#given) {
      if (containerIds.includes(containerId)) this.#given.delete(key);
    }
  }
}
