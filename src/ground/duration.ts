/** Parses durations like `1m30s` into ms. Pure. */
import { TIMER_MS_MAX } from "./timers.ts";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * Accepts Go's duration syntax (`time.ParseDuration`) with the units ms, s, m and h.
 *
 * @returns ms; undefined if the text is not a duration or is longer than a timer can wait
 */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ms|s|m|h))+$/.test(text)) return undefined;
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/([\d.]+)(ms|s|m|h)/g)) {
    ms += Number(count) * (UNIT_MS[unit ?? ""] ?? Number.NaN);
  }
  return ms <= TIMER_MS_MAX ? ms : undefined;
}
