/**
 * Environment → Config. Replaces no wrong value in silence: each wrong variable gets a line of its own.
 * Telemetry's variables are in telemetry/settings.ts. Reads no environment itself: main.ts passes it in.
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
  type Variable,
} from "./ground/environment.ts";
import { hostName } from "./ground/host-name.ts";
import { isIpv4, isIpv6 } from "./ground/ip-address.ts";
import type { ListenAddress } from "./ground/listen-address.ts";
import type { User } from "./process/privileges.ts";
import { LOG_LEVELS, type LogLevel } from "./telemetry/log.ts";
import { readTelemetrySettings, type TelemetrySettings } from "./telemetry/settings.ts";

export type Config = ListenAddress & {
  /** How long a request may wait for its model, ms; 0: not at all. */
  readonly waitTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly modelSearchBytesMax: number;
  readonly engine: EngineAddress;
  readonly logLevel: LogLevel;
  /** Where the socket of `drain` and `undrain` lies. */
  readonly runtimeDirectory: string;
  /** The user to become when started as root; undefined: stay root. */
  readonly user: User | undefined;
  /** Host names under which people may open inner pages, beside local ones. In the form of `hostName`. */
  readonly trustedHosts: readonly string[];
  /** Undefined if all of it is off. */
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

/** What people can set. */
export const VARIABLES = {
  PROXY_PORT: {
    default: "8080",
    expected: "a port from 1 to 65535",
    schema: parsedBy(parsePort),
  },
  PROXY_HOST: {
    default: "",
    expected: "an IP address, like 127.0.0.1 or ::1",
    schema: parsedBy(parseHost),
  },
  PROXY_WAIT_TIMEOUT: {
    default: "0",
    expected: "a duration like 30s, 5m, 1h or 0",
    schema: parsedBy(parseTime),
  },
  PROXY_DRAIN_TIMEOUT: {
    default: "60s",
    expected: "a duration like 500ms, 60s, 1m30s, 2h or 0",
    schema: parsedBy(parseTime),
  },
  PROXY_MODEL_SEARCH_LIMIT: {
    default: "128MiB",
    expected: "a size like 64KiB, 128MiB or 1GiB",
    schema: parsedBy(parseSize),
  },
  PROXY_USER: {
    default: "",
    expected: "a user's number, or a user's and a group's, like 65532:65532",
    schema: parsedBy(parseUser),
  },
  PROXY_METRICS: {
    default: "false",
    expected: "true, false",
    schema: z.enum(["true", "false"]),
  },
  PROXY_TRUSTED_HOSTS: {
    default: "",
    expected: "names like proxy.example.com, separated by commas; leave away scheme, port and path",
    schema: parsedBy(parseNames),
  },
  DOCKER_HOST: {
    default: "unix:///var/run/docker.sock",
    expected: "unix:///path/to/docker.sock or tcp://host:port",
    schema: parsedBy(parseEngineAddress),
  },
  LOG_LEVEL: { default: "info", expected: LOG_LEVELS.join(", "), schema: z.enum(LOG_LEVELS) },
  RUNTIME_DIRECTORY: {
    default: SHARED_DIRECTORY,
    expected: "a directory for the socket of drain and undrain; systemd sets it",
    schema: parsedBy(parseDirectory),
  },
} as const;

/** Other programs that talk to an engine know it. We look at it only to say that we can't do it. */
const DOCKER_TLS_VERIFY = {
  default: "",
  expected:
    "nothing: the proxy does not speak TLS to the engine; use the unix socket, or a socket proxy at tcp://host:port",
  schema: z.literal(""),
} as const;

const { LOG_LEVEL, ...BEFORE_LOG_LEVEL } = VARIABLES;
/** In the order in which wrong ones are told. */
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
    warnings: [...unknownVariables(env), ...telemetry.warnings],
  };
}

/** Reads how the proxy is reached, and nothing else: to commands no other variable matters. */
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

/** One line for each variable that is wrong. */
function linesOf(names: readonly string[], env: Environment): readonly string[] {
  const variables: Readonly<Record<string, Variable>> = ALL;
  return names.map(
    (name) => `${name} is ${JSON.stringify(env[name])}: expected ${variables[name]?.expected}`,
  );
}

function unknownVariables(env: Environment): readonly string[] {
  const ours = Object.keys(VARIABLES).filter((name) => name.startsWith("PROXY_"));
  return Object.keys(env)
    .filter((name) => name.startsWith("PROXY_") && !ours.includes(name))
    .map((name) => `${name} is not a variable of this proxy; it knows ${ours.join(", ")}`);
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

/** systemd names several directories with colons between them. A wrong one is no reason not to start. */
function parseDirectory(text: string): string {
  return text.split(":")[0] || SHARED_DIRECTORY;
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** The largest size that makes sense, in bytes: the memory of a large machine. */
const SIZE_MAX = 1024 ** 4;

function parseSize(text: string, context: ParseContext): number {
  const [, count, unit] = /^(\d+)(KiB|MiB|GiB)$/.exec(text) ?? [];
  const bytes = Number(count) * (SIZE_UNITS[unit ?? ""] ?? Number.NaN);
  return bytes >= 1 && bytes <= SIZE_MAX ? bytes : refuse(context);
}

/** The largest number of a user or group: 2^32 − 1 means none. */
const ID_MAX = 4_294_967_294;

/** Accepts numbers only: the image has no file of user names. */
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
