/** What the stand-in does, read from its environment once; a value that makes no sense ends it at once. */
import { hostname } from "node:os";
import type { EngineKind } from "./engine-metrics.ts";

/**
 * What SIGTERM and SIGINT do: exit at once, finish what is in flight first, or nothing. The first two send each WebSocket
 * a Close with code 1012 first, as uvicorn does. `abrupt` is an exit without that.
 */
type TermMode = "exit" | "drain" | "ignore" | "abrupt";

/** What is done with a WebSocket handshake: it is taken, answered as the request without it, or refused with this status. */
type UpgradeMode = "take" | "http" | number;

/** Paths below the base path on which a WebSocket can be had. */
export type SocketPath = "/realtime" | "/responses";

/** How fast answers come; every field can be overridden in the body of a request. */
export type Pace = {
  readonly tokens: number;
  readonly tokenDelayMs: number;
  /** Before anything is sent, headers included: Bun.serve writes them with the first body byte. */
  readonly firstTokenDelayMs: number;
};

export type Settings = {
  readonly port: number;
  /** "" or "/v1": leading slash, no trailing one. */
  readonly basePath: string;
  readonly models: readonly string[];
  /** On every answer (`x-served-by`) and the first token of every text. */
  readonly name: string;
  readonly listenDelayMs: number;
  readonly modelsDelayMs: number;
  /** Anything but 200: what GET models answers, with an error for a body. */
  readonly modelsStatus: number;
  readonly pace: Pace;
  readonly termMode: TermMode;
  readonly upgrades: Readonly<Record<SocketPath, UpgradeMode>>;
  /** The one that is chosen if the client offers it. Most servers choose none. */
  readonly subprotocol: string | undefined;
  /** At first; /admin/health changes it. */
  readonly healthy: boolean;
  /** Whose metrics there are at /metrics; undefined: there is no such path. */
  readonly metrics: EngineKind | undefined;
  /** Folder of a file that outlives the container: see `keepEntry` in journal.ts. */
  readonly journalFolder: string | undefined;
};

type Environment = Readonly<Record<string, string | undefined>>;

export function readSettings(environment: Environment): Settings {
  return {
    port: readPort(environment),
    basePath: toBasePath(environment["BASE_PATH"] ?? "/v1"),
    models: (environment["MODELS"] ?? "test-model").split(",").filter((model) => model !== ""),
    name: environment["NAME"] ?? hostname(),
    listenDelayMs: readNumber(environment, "LISTEN_DELAY_MS", 0),
    modelsDelayMs: readNumber(environment, "MODELS_DELAY_MS", 0),
    modelsStatus: readNumber(environment, "MODELS_STATUS", 200),
    pace: {
      tokens: readNumber(environment, "TOKENS", 5),
      tokenDelayMs: readNumber(environment, "TOKEN_DELAY_MS", 20),
      firstTokenDelayMs: readNumber(environment, "FIRST_TOKEN_DELAY_MS", 0),
    },
    termMode: readTermMode(environment["TERM_MODE"] ?? "exit"),
    upgrades: {
      "/realtime": readUpgradeMode(environment, "REALTIME_UPGRADE"),
      "/responses": readUpgradeMode(environment, "RESPONSES_UPGRADE"),
    },
    subprotocol: environment["SUBPROTOCOL"],
    healthy: readBoolean(environment["HEALTHY"] ?? "true"),
    metrics: readEngineKind(environment["METRICS"]),
    journalFolder: environment["JOURNAL_FOLDER"],
  };
}

/** Apart from the rest: all that the health check needs. */
export function readPort(environment: Environment): number {
  return readNumber(environment, "PORT", 8000);
}

function toBasePath(value: string): string {
  const inner = value.replace(/^\/+|\/+$/g, "");
  return inner === "" ? "" : `/${inner}`;
}

function readNumber(environment: Environment, name: string, fallback: number): number {
  const text = environment[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new Error(`Cannot read ${name}: "${text}" is not a whole number`);
}

function readTermMode(value: string): TermMode {
  switch (value) {
    case "exit":
    case "drain":
    case "ignore":
    case "abrupt":
      return value;
    default:
      throw new Error(`Cannot read TERM_MODE: "${value}" is none of exit, drain, ignore, abrupt`);
  }
}

function readUpgradeMode(environment: Environment, name: string): UpgradeMode {
  const value = environment[name] ?? "http";
  if (value === "take" || value === "http") return value;
  if (/^[2-5]\d\d$/.test(value)) return Number(value);
  throw new Error(`Cannot read ${name}: "${value}" is none of take, http, and a status`);
}

function readEngineKind(value: string | undefined): EngineKind | undefined {
  if (value === undefined || value === "vllm" || value === "sglang") return value;
  throw new Error(`Cannot read METRICS: "${value}" is neither vllm nor sglang`);
}

function readBoolean(value: string): boolean {
  if (value === "true" || value === "false") return value === "true";
  throw new Error(`Cannot read HEALTHY: "${value}" is neither true nor false`);
}
