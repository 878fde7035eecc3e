/** Holds every line of the log that a test sees to the list of events, which docs/operating.md repeats. */
import { LOG_EVENTS } from "../../../src/telemetry/log-events.ts";

const EVENTS: Readonly<
  Record<string, { readonly levels: readonly string[]; readonly fields: readonly string[] }>
> = LOG_EVENTS;

/** @throws if the event, its level or one of its fields is not in the list */
export function expectListed(
  line: Readonly<Record<string, unknown>> & { readonly level: string; readonly message: string },
): void {
  const { time: _time, level, message, ...fields } = line;
  const event = EVENTS[message];
  if (event === undefined) throw new Error(`LOG_EVENTS has no event “${message}”`);
  if (!event.levels.includes(level))
    throw new Error(`LOG_EVENTS does not have the event “${message}” at level ${level}`);
  const unknown = Object.keys(fields).filter((name) => !event.fields.includes(name));
  if (unknown.length > 0)
    throw new Error(`LOG_EVENTS lists no ${unknown.join(", ")} for “${message}”`);
}
