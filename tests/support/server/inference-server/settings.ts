/** The stand-in's settings, read from its environment once. An invalid value ends it at once. */
import { hostname } from "node:os";
import type { EngineKind } from "./engine-metrics.ts";

/**
 * The effect of SIGTERM and SIGINT. `exit`: exit at once. `drain`: finish the requests in flight first. Both
 * send each WebSocket a Close with code 1012 first, as uvicorn does. `ignore`: nothing. `abrupt`: exit
 * without a Close.
 */
type TermMode = "exit" | "drain" | "ignore" | "abrupt";

/**
 * A WebSocket handshake is accepted, answered like a request without the upgrade, or refused with this
 * status.
 */
type UpgradeMode = "take" | "http" | number;

/** Paths below the base path that accept WebSockets. */
export type SocketPath = "/realtime" | "/responses";

/** How fast answers come. The body of a request can override each field. */
export type Pace = {
  readonly tokens: number;
  readonly tokenDelayMs: number;
  /** The time before anything is sent, also the headers: Bun.serve writes them with the first body byte. */
  readonly firstTokenDelayMs: number;
};

export type Settings = {
  readonly port: number;
  /** "" or "/v1": with a leading slash, without a trailing one. */
  readonly basePath: string;
  readonly models: readonly string[];
  /** On every answer (`x-served-by`), and in the first token of every text. */
  readonly name: string;
  readonly listenDelayMs: number;
  readonly modelsDelayMs: number;
  /** If not 200, GET models answers this status, with an error as its body. */
  readonly modelsStatus: number;
  readonly pace: Pace;
  readonly termMode: TermMode;
  readonly upgrades: Readonly<Record<SocketPath, UpgradeMode>>;
  /** Chosen if the client offers it. Most servers choose no subprotocol. */
  readonly subprotocol: string | undefined;
  /** The initial health. /admin/health changes it. */
  readonly healthy: boolean;
  /** The engine whose metrics are at /metrics. Undefined: the path does not exist. */
  readonly metrics: EngineKind | undefined;
  /** The folder of a file that survives the container: see `keepEntry` in journal.ts. */
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

/** Separate from the rest, because the health check needs only the port. */
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
      throw new Error(`Cannot read TERM_MODE: "${value}" is not exit, drain, ignore or abrupt`);
  }
}

function readUpgradeMode(environment: Environment, name: string): UpgradeMode {
  const value = environment[name] ?? "http";
  if (value === "take" || value === "http") return value;
  if (/^[2-5]\d\d$/.test(value)) return Number(value);
  throw new Error(`Cannot read ${name}: "${value}" is not take, http or a status`);
}

function readEngineKind(value: string | undefined): EngineKind | undefined {
  if (value === undefined || value === "vllm" || value === "sglang") return value;
  throw new Error(`Cannot read METRICS: "${value}" is not vllm or sglang`);
}

function readBoolean(value: string): boolean {
  if (value === "true" || value === "false") return value === "true";
  throw new Error(`Cannot read HEALTHY: "${value}" is not true or false`);
}
