/**
 * Parses the environment into a Config. Never replaces a wrong value silently: each wrong variable gets an
 * error line. The telemetry variables are in telemetry/settings.ts. main.ts passes the environment in.
 */
import { z } from "zod/mini";
import type { EngineAddress } from "./engine/error.ts";
import { SHARED_DIRECTORY } from "./ground/control-socket.ts";
import { parseDuration } from "./ground/duration.ts";
import {
  type Environment,
  type ParseContext,
  parsedBy,
  readVariables,
  refuse,
  unknownVariables,
  type Variable,
} from "./ground/environment.ts";
import { hostName } from "./ground/host-name.ts";
import { isIpv4, isIpv6 } from "./ground/ip-address.ts";
import type { ListenAddress } from "./ground/listen-address.ts";
import type { User } from "./process/privileges.ts";
import { LOG_LEVELS, type LogLevel } from "./telemetry/log.ts";
import { readTelemetrySettings, type TelemetrySettings } from "./telemetry/settings.ts";

export type Config = ListenAddress & {
  /** How long a request may wait for its model, ms; 0: it does not wait. */
  readonly waitTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly modelSearchBytesMax: number;
  readonly engine: EngineAddress;
  readonly logLevel: LogLevel;
  /** The directory of the control socket, which `drain` and `undrain` use. */
  readonly runtimeDirectory: string;
  /** The user to become when started as root; undefined: stay root. */
  readonly user: User | undefined;
  /**
   * Host names that browsers may use for internal pages, in addition to local names. Normalized by
   * `hostName`.
   */
  readonly trustedHosts: readonly string[];
  /** Undefined if all telemetry is off. */
  readonly telemetry: TelemetrySettings | undefined;
};

export type LoadedConfig =
  | { readonly kind: "config"; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly kind: "wrong"; readonly errors: readonly string[] };

export type LoadedListenAddress =
  | {
      readonly kind: "address";
      readonly address: ListenAddress;
      /** See `Config`. */
      readonly runtimeDirectory: string;
    }
  | Extract<LoadedConfig, { kind: "wrong" }>;

/** The variables that users can set. */
export const VARIABLES = {
  PROXY_PORT: {
    meaning: "the port that the proxy listens on",
    default: "8080",
    expected: "a port from 1 to 65535",
    schema: parsedBy(parsePort),
  },
  PROXY_HOST: {
    meaning: "the address that the proxy listens on; without it, all addresses",
    default: "",
    expected: "an IP address, like 127.0.0.1 or ::1",
    schema: parsedBy(parseHost),
  },
  PROXY_WAIT_TIMEOUT: {
    meaning:
      "how long a request may wait for a server that is being replaced or is full; 0: no wait",
    default: "0",
    expected: "a duration like 30s, 5m, 1h or 0",
    schema: parsedBy(parseTime),
  },
  PROXY_DRAIN_TIMEOUT: {
    meaning: "how long requests in flight may continue when their server or the proxy stops",
    default: "60s",
    expected: "a duration like 500ms, 60s, 1m30s, 2h or 0",
    schema: parsedBy(parseTime),
  },
  PROXY_MODEL_SEARCH_LIMIT: {
    meaning: "the most bytes of a request body that the proxy keeps while it looks for the model",
    default: "128MiB",
    expected: "a size like 64KiB, 128MiB or 1GiB",
    schema: parsedBy(parseSize),
  },
  PROXY_USER: {
    meaning: "the user that the proxy becomes if root starts it; without it, it stays root",
    default: "",
    expected: "a user number, like 65532, or a user and a group number, like 65532:65532",
    schema: parsedBy(parseUser),
  },
  PROXY_METRICS: {
    meaning: "whether GET /metrics shows metrics for Prometheus",
    default: "false",
    expected: "true or false",
    schema: z.enum(["true", "false"]),
  },
  PROXY_TRUSTED_HOSTS: {
    meaning: "host names that browsers may use for the status page, /status and /metrics",
    default: "",
    expected: "names like proxy.example.com, separated by commas, without scheme, port and path",
    schema: parsedBy(parseNames),
  },
  DOCKER_HOST: {
    meaning: "the address of the Docker engine",
    default: "unix:///var/run/docker.sock",
    expected: "unix:///path/to/docker.sock or tcp://host:port",
    schema: parsedBy(parseEngineAddress),
  },
  LOG_LEVEL: {
    meaning: "the lowest level of the log lines that the proxy writes",
    default: "info",
    expected: `one of ${LOG_LEVELS.join(", ")}`,
    schema: z.enum(LOG_LEVELS),
  },
  RUNTIME_DIRECTORY: {
    meaning: "the directory of the control socket, which drain and undrain use; systemd sets it",
    default: SHARED_DIRECTORY,
    expected: "a directory",
    schema: parsedBy(parseDirectory),
  },
} as const;

/** Other Docker clients support this variable. The proxy reads it only to report that it does not. */
const DOCKER_TLS_VERIFY = {
  default: "",
  expected:
    "no value, because the proxy does not speak TLS to the engine; use the unix socket, or a socket proxy at tcp://host:port",
  schema: z.literal(""),
} as const;

const { LOG_LEVEL, ...BEFORE_LOG_LEVEL } = VARIABLES;
/** In the order of the error lines. */
const ALL = { ...BEFORE_LOG_LEVEL, DOCKER_TLS_VERIFY, LOG_LEVEL };

export function loadConfig(env: Environment): LoadedConfig {
  const read = readVariables(ALL, env);
  const telemetry = readTelemetrySettings(env, env["PROXY_METRICS"] === "true");
  if (read.kind === "wrong" || telemetry.errors.length > 0) {
    const errors = read.kind === "wrong" ? linesOf(read.names, env) : [];
    return { kind: "wrong", errors: [...errors, ...telemetry.errors] };
  }
  const { values } = read;
  return {
    kind: "config",
    config: {
      host: values.PROXY_HOST,
      port: values.PROXY_PORT,
      waitTimeoutMs: values.PROXY_WAIT_TIMEOUT,
      drainTimeoutMs: values.PROXY_DRAIN_TIMEOUT,
      modelSearchBytesMax: values.PROXY_MODEL_SEARCH_LIMIT,
      engine: values.DOCKER_HOST,
      logLevel: values.LOG_LEVEL,
      runtimeDirectory: values.RUNTIME_DIRECTORY,
      user: values.PROXY_USER,
      trustedHosts: values.PROXY_TRUSTED_HOSTS,
      telemetry: telemetry.settings,
    },
    warnings: [...unknownVariables(env, "PROXY_", Object.keys(VARIABLES)), ...telemetry.warnings],
  };
}

/** Reads only the variables that say how to reach the proxy. The commands need no others. */
export function loadListenAddress(env: Environment): LoadedListenAddress {
  const { PROXY_PORT, PROXY_HOST, RUNTIME_DIRECTORY } = VARIABLES;
  const read = readVariables({ PROXY_PORT, PROXY_HOST, RUNTIME_DIRECTORY }, env);
  if (read.kind === "wrong") return { kind: "wrong", errors: linesOf(read.names, env) };
  const { values } = read;
  return {
    kind: "address",
    address: { host: values.PROXY_HOST, port: values.PROXY_PORT },
    runtimeDirectory: values.RUNTIME_DIRECTORY,
  };
}

/** One line for each wrong variable. */
function linesOf(names: readonly string[], env: Environment): readonly string[] {
  const variables: Readonly<Record<string, Variable>> = ALL;
  return names.map(
    (name) => `${name} is ${JSON.stringify(env[name])}: expected ${variables[name]?.expected}`,
  );
}

function parsePort(text: string, context: ParseContext): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : refuse(context);
}

function parseHost(text: string, context: ParseContext): string | undefined {
  if (text === "") return undefined;
  return isIpv4(text) || isIpv6(text) ? text : refuse(context);
}

function parseNames(text: string, context: ParseContext): readonly string[] {
  if (text.trim() === "") return [];
  const names = text.split(",").map((name) => hostName(name.trim()));
  return names.every((name) => name !== undefined) ? names : refuse(context);
}

function parseTime(text: string, context: ParseContext): number {
  return parseDuration(text) ?? refuse(context);
}

/**
 * systemd may set several directories, separated by colons. The proxy starts even if the directory is wrong.
 */
function parseDirectory(text: string): string {
  return text.split(":")[0] || SHARED_DIRECTORY;
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** The largest sensible size, in bytes: the memory of a large machine. */
const SIZE_MAX = 1024 ** 4;

function parseSize(text: string, context: ParseContext): number {
  const [, count, unit] = /^(\d+)(KiB|MiB|GiB)$/.exec(text) ?? [];
  const bytes = Number(count) * (SIZE_UNITS[unit ?? ""] ?? Number.NaN);
  return bytes >= 1 && bytes <= SIZE_MAX ? bytes : refuse(context);
}

/** The largest number of a user or group. 2^32 − 1 means "no user". */
const ID_MAX = 4_294_967_294;

/** Accepts only numbers: the image has no file with user names. */
function parseUser(text: string, context: ParseContext): User | undefined {
  if (text === "") return undefined;
  const [, first, second] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text) ?? [];
  const [uid, gid] = [Number(first), Number(second ?? first)];
  return uid <= ID_MAX && gid <= ID_MAX ? { uid, gid } : refuse(context);
}

function parseEngineAddress(text: string, context: ParseContext): EngineAddress {
  const unix = /^unix:\/\/(\/.+)$/.exec(text)?.[1];
  if (unix !== undefined) return { kind: "unix", path: unix };
  const [, host, port] = /^tcp:\/\/([\w.-]+|\[[\da-fA-F:]+\]):(\d{1,5})\/?$/.exec(text) ?? [];
  if (host === undefined || port === undefined) return refuse(context);
  return { kind: "tcp", host, port: parsePort(port, context) };
}
