/** Stands in for a proxy's reply to GET /status, in the same form. */
import type { Status } from "../../../src/status.ts";

const STARTED = "2026-01-02T03:04:05.000Z";
export const STARTED_MS = Date.parse(STARTED);

export function statusReply(more: object = {}): Record<string, unknown> {
  return { ...plainStatus(), ...more };
}

export function plainStatus(more: Partial<Status> = {}): Status {
  return {
    version: "1.2.3",
    started_at: STARTED,
    uptime_seconds: 11_045.6,
    ready: true,
    in_flight: 3,
    engine: {
      address: "unix:///var/run/docker.sock",
      state: "connected",
      reason: null,
      since: STARTED,
      api_version: "1.41",
    },
    containers: [],
    swarm: null,
    models: [],
    recent: null,
    changes: [],
    left_out: { containers: 0, services: 0, models: 0, changes: 0, details: false },
    ...more,
  };
}

export function containerStatus(more: object = {}): Record<string, unknown> {
  const { models = ["org/a", "b"] } = more as { readonly models?: readonly string[] };
  return {
    id: "0123456789ab",
    name: "vllm-1",
    state: "routed",
    reason: "healthy",
    since: STARTED,
    address: "172.18.0.3:8000",
    models,
    model_count: models.length,
    in_flight: 3,
    max_in_flight: null,
    load: null,
    requests_last_minute: null,
    last_exit: null,
    crash_loop: false,
    recent: null,
    ...more,
  };
}
