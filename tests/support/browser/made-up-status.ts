/** Makes up parts of the answer to `GET /status`, for a page that shows them. */
import type {
  Change,
  ContainerStatus,
  ModelStatus,
  Recent,
  RecentWindow,
  Status,
} from "../../../src/status.ts";

/** @param agoMs how long ago, in ms */
export function timeAgo(agoMs: number): string {
  return new Date(Date.now() - agoMs).toISOString();
}

export const [SECOND, MINUTE, HOUR] = [1_000, 60_000, 3_600_000] as const;

function window(init: Partial<RecentWindow> = {}): RecentWindow {
  return {
    requests: 0,
    failed: 0,
    statuses: {},
    errors: {},
    first_chunk_ms: null,
    pieces_per_second: null,
    tokens_per_second: null,
    input_tokens: 0,
    output_tokens: 0,
    ...init,
  };
}

/** @param requestsPer10s requests in each 10 s, the oldest first */
export function recent(
  requestsPer10s: readonly number[],
  init: Partial<RecentWindow> = {},
): Recent {
  const requests = requestsPer10s.reduce((sum, n) => sum + n, 0);
  const { client_gone: _, ...failures } = init.errors ?? {}; // a client that left is not a failure
  const failed = Object.values(failures).reduce((sum, n) => sum + n, 0);
  const statuses = { "2xx": requests - failed, ...(failed > 0 && { "5xx": failed }) };
  const minutes = window({ requests, failed, statuses, ...init });
  const hour = window({
    ...minutes,
    requests: requests * 11,
    statuses: { ...statuses, "2xx": requests * 11 - failed },
    input_tokens: minutes.input_tokens * 11,
    output_tokens: minutes.output_tokens * 11,
  });
  const padded = [...new Array<number>(30).fill(0), ...requestsPer10s].slice(-30);
  return { last_5_minutes: minutes, last_hour: hour, requests_per_10_seconds: padded };
}

/** Requests in each 10 s of 5 minutes. They rise and fall, and are the same each time. */
export function waves(seed: number, top: number): readonly number[] {
  return Array.from({ length: 30 }, (_, n) =>
    Math.round((top * (1 + Math.sin(n * 0.7 + seed) * Math.cos(n * seed * 1.3))) / 2),
  );
}

export function container(
  init: Partial<ContainerStatus> & { readonly name: string },
): ContainerStatus {
  return {
    id: Bun.hash(init.name).toString(16).padStart(64, "a"),
    state: "routed",
    reason: "healthy",
    since: timeAgo(3 * HOUR + 12 * MINUTE),
    address: "http://172.18.0.4:8000",
    models: [],
    model_count: init.models?.length ?? 0,
    in_flight: 0,
    max_in_flight: null,
    load: null,
    requests_last_minute: null,
    last_exit: null,
    crash_loop: false,
    recent: null,
    ...init,
  };
}

export function model(init: Partial<ModelStatus> & { readonly id: string }): ModelStatus {
  return { waiting: 0, in_flight: 0, servers: [], recent: null, ...init };
}

export function change(
  init: Partial<Change> & { readonly name: string; readonly state: string },
): Change {
  return { at: timeAgo(MINUTE), what: "container", reason: "", times: 1, ...init };
}

/** The status of a proxy that has seen no server and no request yet. */
export function quietStatus(init: Partial<Status> = {}): Status {
  return {
    version: "1.4.0",
    started_at: timeAgo(3 * 24 * HOUR),
    uptime_seconds: 3 * 24 * 3_600,
    ready: true,
    in_flight: 0,
    engine: {
      address: "unix:///var/run/docker.sock",
      state: "connected",
      reason: null,
      since: timeAgo(3 * 24 * HOUR),
      api_version: "1.52",
    },
    containers: [],
    swarm: null,
    models: [],
    recent: null,
    changes: [],
    left_out: { containers: 0, services: 0, models: 0, changes: 0, details: false },
    ...init,
  };
}
