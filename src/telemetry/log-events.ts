/**
 * Every event that the log can report: its stable name, its levels and its fields. docs/operating.md explains each
 * one, and a test holds both equal. Operators search and alert by these names, so a name stays once it is released.
 */
import type { LogLevel } from "./log.ts";

type EventShape = {
  readonly levels: readonly LogLevel[];
  /** In snake_case. A line may leave some out. */
  readonly fields: readonly string[];
};

const CONTAINER = ["container", "address", "model_count", "models", "in_flight", "reason", "since"];

export const LOG_EVENTS = {
  listening: { levels: ["info"], fields: ["host", "port", "engine"] },
  ready: { levels: ["info"], fields: ["models"] },
  stopping: { levels: ["info"], fields: ["signal"] },
  stopped: { levels: ["info"], fields: [] },

  "container routed": { levels: ["info", "warn", "debug"], fields: CONTAINER },
  "container reading_models": { levels: ["info", "warn", "debug"], fields: CONTAINER },
  "container starting": { levels: ["info", "warn", "debug"], fields: CONTAINER },
  "container unhealthy": { levels: ["warn", "debug"], fields: CONTAINER },
  "container paused": { levels: ["warn", "debug"], fields: CONTAINER },
  "container drained": { levels: ["info", "warn", "debug"], fields: CONTAINER },
  "container stopping": { levels: ["info", "warn", "debug"], fields: CONTAINER },
  "container restarting": { levels: ["warn", "debug"], fields: CONTAINER },
  "container stopped": { levels: ["info", "warn", "debug"], fields: CONTAINER },
  "container ignored": { levels: ["warn", "debug"], fields: CONTAINER },
  "container disabled": { levels: ["debug", "info", "warn"], fields: CONTAINER },
  "container unknown": { levels: ["debug", "info", "warn"], fields: CONTAINER },

  "drain finished": { levels: ["info"], fields: ["container"] },
  "container undrained": { levels: ["info"], fields: ["container"] },
  "drain timeout expired": {
    levels: ["info", "warn"],
    fields: ["container", "requests_cut", "websockets_cut"],
  },
  "models changed": {
    levels: ["info"],
    fields: ["container", "model_count", "added_count", "added", "removed_count", "removed"],
  },
  "unknown labels": { levels: ["warn"], fields: ["container", "labels", "reason"] },
  "duplicate models": {
    levels: ["warn"],
    fields: ["container", "instead_of", "without_label", "model_count", "models", "reason"],
  },
  "replicas differ": {
    levels: ["warn"],
    fields: ["containers", "model_count", "models", "reason"],
  },

  "answers broken off": { levels: ["warn"], fields: ["container", "model", "answers", "reason"] },
  "requests failed": { levels: ["warn"], fields: ["container", "model", "requests", "reason"] },
  "websockets broken off": {
    levels: ["warn"],
    fields: ["container", "model", "websockets", "reason"],
  },
  "websocket message too long": {
    levels: ["warn"],
    fields: ["container", "model", "from", "bytes_max"],
  },
  "requests waiting": { levels: ["info", "debug"], fields: ["model", "reason"] },
  "no requests waiting": {
    levels: ["info", "debug"],
    fields: ["model", "requests", "longest_seconds"],
  },
  "untrusted host": { levels: ["warn"], fields: ["host", "reason"] },

  "engine connected": { levels: ["info"], fields: [] },
  "engine unreachable": { levels: ["error"], fields: ["reason"] },
  "engine reconnected": { levels: ["info"], fields: [] },
  "event stream ended": { levels: ["debug"], fields: [] },
  "event skipped": { levels: ["warn"], fields: ["resync_ms", "reason"] },
  "container list failed": { levels: ["warn", "debug"], fields: ["reason"] },
  "container look failed": { levels: ["warn", "debug"], fields: ["container", "reason"] },
  "own container unknown": { levels: ["warn"], fields: ["reason"] },

  "swarm followed": { levels: ["info"], fields: [] },
  "swarm lost": { levels: ["warn"], fields: ["reason"] },
  "swarm reconnected": { levels: ["info"], fields: [] },
  "swarm left": { levels: ["warn"], fields: ["reason"] },
  "swarm forbidden": { levels: ["warn"], fields: ["reason"] },

  "configuration warning": { levels: ["warn"], fields: ["reason"] },
  "running as root": { levels: ["warn"], fields: ["reason"] },
  "control socket unavailable": { levels: ["warn"], fields: ["reason"] },
  "low open file limit": { levels: ["warn"], fields: ["limit", "reason"] },

  "telemetry export failed": { levels: ["warn"], fields: ["signal", "reason"] },
  "telemetry export recovered": { levels: ["info"], fields: [] },
  "telemetry incomplete": { levels: ["warn"], fields: ["ms", "reason"] },
  opentelemetry: { levels: ["error", "warn", "info", "debug"], fields: ["reason", "details"] },

  "internal error": { levels: ["error"], fields: ["container", "doing", "reason", "stack"] },
} as const satisfies Readonly<Record<string, EventShape>>;

export type LogEvent = keyof typeof LOG_EVENTS;
