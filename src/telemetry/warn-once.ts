/**
 * Logs a warning only once while nothing changes. It remembers warnings for each container, even while the
 * container does not run, so a container in a crash loop does not repeat them. Does not decide what deserves
 * a warning.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import type { Log } from "./log.ts";
import type { LogEvent } from "./log-events.ts";

type Fields = Readonly<Record<string, unknown>>;

type Warning = {
  readonly containerIds: readonly string[];
  readonly text: string;
};

/**
 * How many warnings it remembers. `forget` drops the warnings of gone containers; this limit holds without it
 * too.
 */
const KEPT_MAX = 10_000;

export class WarnOnce {
  readonly #log: Log;
  readonly #given = new BoundedMap<string, Warning>(KEPT_MAX);

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Warns, unless the last warning with this event about these containers had the same `said`.
   *
   * @param said if it differs from last time, the warning is logged again; must be short, because it is kept
   */
  warn(
    containerIds: readonly string[],
    event: LogEvent,
    fields: Fields,
    said = JSON.stringify(fields["reason"] ?? ""),
  ): void {
    const key = `${[...containerIds].sort().join(" ")} ${event}`;
    if (this.#given.get(key)?.text === said) return;
    this.#given.set(key, { containerIds, text: said });
    this.#log.warn(event, fields);
  }

  /** Forgets the warnings about a container that is gone. */
  forget(containerId: string): void {
    for (const [key, { containerIds }] of this.#given) {
      if (containerIds.includes(containerId)) this.#given.delete(key);
    }
  }
}
