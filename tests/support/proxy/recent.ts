/** The outcomes of the requests of the last minutes, in the form of `GET /status`. */
import type { Recent, RecentWindow } from "../../../src/status.ts";

/** @param requests how many there were, all in the last 10 s */
export function recent(requests: number, more: Partial<RecentWindow> = {}): Recent {
  const window = {
    requests,
    failed: 0,
    statuses: { "2xx": requests },
    errors: {},
    first_chunk_ms: null,
    pieces_per_second: null,
    tokens_per_second: null,
    input_tokens: 0,
    output_tokens: 0,
    ...more,
  };
  const requests_per_10_seconds = [...Array.from({ length: 29 }, () => 0), requests];
  return { last_5_minutes: window, last_hour: window, requests_per_10_seconds };
}
