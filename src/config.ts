/** Environment → Config. Nothing is silently replaced: each wrong variable gets a line of its own. */
import { z } from "zod/mini";
import type { EngineAddress } from "./engine/error.ts";
import { hostName } from "./ground/host-name.ts";
import { isIpv4, isIpv6 } from "./ground/ip-address.ts";
import { TIMER_MS_MAX } from "./ground/timers.ts";
import type { User } from "./process/privileges.ts";
import { LOG_LEVELS, type LogLevel } from "./telemetry/log.ts";
import { readTelemetrySettings, type TelemetrySettings } from "./telemetry/settings.ts";

/** Where the proxy listens. */
export type Place = {
  /** IP address; undefined: all of them, of both families. */
  readonly host: string | undefined;
  readonly port: number;
};

export type Config = Place & {
  readonly drainTimeoutMs: number;
  readonly modelSearchBytesMax: number;
  readonly engine: EngineAddress;
  readonly logLevel: LogLevel;
  /** Whom to become when started as root; undefined: stay root. */
  readonly user: User | undefined;
  /** Names under which inner pages may be asked for, beside local ones: as `hostName` has them. */
  readonly trustedHosts: readonly string[];
  /** Undefined if it is all off. */
  readonly telemetry: TelemetrySettings | undefined;
};

export type LoadedConfig =
  | { readonly kind: "config"; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly kind: "wrong"; readonly errors: readonly string[] };

export type LoadedPlace =
  | { readonly kind: "place"; readonly place: Place }
  | Extract<LoadedConfig, { kind: "wrong" }>;

type Environment = Readonly<Record<string, string | undefined>>;

/** What there is to set: its default, as one would write it, and what is accepted. */
export const VARIABLES = {
  PROXY_PORT: { default: "8080", expected: "a port from 1 to 65535" },
  PROXY_HOST: { default: "", expected: "an IP address, like 127.0.0.1 or ::1" },
  PROXY_DRAIN_TIMEOUT: { default: "60s", expected: "a duration like 500ms, 60s, 1m30s, 2h or 0" },
  PROXY_MODEL_SEARCH_LIMIT: {
    default: "128MiB",
    expected: "a size like 64KiB, 128MiB or 1GiB",
  },
  PROXY_USER: {
    default: "",
    expected: "a user's number, or a user's and a group's, like 65532:65532",
  },
  PROXY_METRICS: { default: "false", expected: "true, false" },
  PROXY_TRUSTED_HOSTS: {
    default: "",
    expected: "names like proxy.example.com, separated by commas; leave away scheme, port and path",
  },
  DOCKER_HOST: {
    default: "unix:///var/run/docker.sock",
    expected: "unix:///path/to/docker.sock or tcp://host:port",
  },
  LOG_LEVEL: { default: "info", expected: LOG_LEVELS.join(", ") },
} as const;

/** Set for other programs that talk to an engine; with it they mean something that we can't do. */
const REFUSED = {
  DOCKER_TLS_VERIFY: {
    default: "",
    expected:
      "nothing: the proxy does not speak TLS to the engine; use the unix socket, or a socket proxy at tcp://host:port",
  },
} as const;

const ALL: Readonly<Record<string, { readonly default: string; readonly expected: string }>> = {
  ...VARIABLES,
  ...REFUSED,
};

const Schema = z.object({
  PROXY_PORT: z.pipe(z.string(), z.transform(parsePort)),
  PROXY_HOST: z.pipe(z.string(), z.transform(parseHost)),
  PROXY_DRAIN_TIMEOUT: z.pipe(z.string(), z.transform(parseDuration)),
  PROXY_MODEL_SEARCH_LIMIT: z.pipe(z.string(), z.transform(parseSize)),
  PROXY_USER: z.pipe(z.string(), z.transform(parseUser)),
  PROXY_METRICS: z.enum(["true", "false"]),
  PROXY_TRUSTED_HOSTS: z.pipe(z.string(), z.transform(parseNames)),
  DOCKER_HOST: z.pipe(z.string(), z.transform(parseEngineAddress)),
  DOCKER_TLS_VERIFY: z.literal(""),
  LOG_LEVEL: z.enum(LOG_LEVELS),
});

export function loadConfig(env: Environment): LoadedConfig {
  // Set to nothing is not set, as for Docker itself.
  const set = Object.fromEntries(
    Object.entries(ALL).map(([name, variable]) => [name, env[name] || variable.default]),
  );
  const parsed = Schema.safeParse(set);
  const telemetry = readTelemetrySettings(env, env["PROXY_METRICS"] === "true");
  if (!parsed.success || telemetry.errors.length > 0) {
    const names = new Set(parsed.error?.issues.map(({ path }) => String(path[0])));
    const errors = [...names].map((name) => wrong(name, env[name]));
    return { kind: "wrong", errors: [...errors, ...telemetry.errors] };
  }
  const { PROXY_PORT, PROXY_DRAIN_TIMEOUT, DOCKER_HOST, LOG_LEVEL } = parsed.data;
  return {
    kind: "config",
    config: {
      host: parsed.data.PROXY_HOST,
      port: PROXY_PORT,
      drainTimeoutMs: PROXY_DRAIN_TIMEOUT,
      modelSearchBytesMax: parsed.data.PROXY_MODEL_SEARCH_LIMIT,
      engine: DOCKER_HOST,
      logLevel: LOG_LEVEL,
      user: parsed.data.PROXY_USER,
      trustedHosts: parsed.data.PROXY_TRUSTED_HOSTS,
      telemetry: telemetry.settings,
    },
    warnings: [...unknownVariables(env), ...telemetry.warnings],
  };
}

/** Where it listens alone, for commands to which no other variable matters. */
export function loadPlace(env: Environment): LoadedPlace {
  const { PROXY_HOST, PROXY_PORT } = Schema.shape;
  const host = PROXY_HOST.safeParse(env["PROXY_HOST"] || VARIABLES.PROXY_HOST.default);
  const port = PROXY_PORT.safeParse(env["PROXY_PORT"] || VARIABLES.PROXY_PORT.default);
  if (host.success && port.success) {
    return { kind: "place", place: { host: host.data, port: port.data } };
  }
  const names = [...(port.success ? [] : ["PROXY_PORT"]), ...(host.success ? [] : ["PROXY_HOST"])];
  return { kind: "wrong", errors: names.map((name) => wrong(name, env[name])) };
}

function wrong(name: string, value: string | undefined): string {
  return `${name} is ${JSON.stringify(value)}: expected ${ALL[name]?.expected}`;
}

function unknownVariables(env: Environment): readonly string[] {
  const ours = Object.keys(VARIABLES).filter((name) => name.startsWith("PROXY_"));
  return Object.keys(env)
    .filter((name) => name.startsWith("PROXY_") && !ours.includes(name))
    .map((name) => `${name} is not a variable of this proxy; it knows ${ours.join(", ")}`);
}

type Context = { readonly value: unknown; issues: unknown[] };

function parsePort(text: string, context: Context): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : refuse(context);
}

function parseHost(text: string, context: Context): string | undefined {
  if (text === "") return undefined;
  return isIpv4(text) || isIpv6(text) ? text : refuse(context);
}

function parseNames(text: string, context: Context): readonly string[] {
  if (text.trim() === "") return [];
  const names = text.split(",").map((name) => hostName(name.trim()));
  return names.every((name) => name !== undefined) ? names : refuse(context);
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Go's duration syntax (`time.ParseDuration`) with the units that make sense here: ms, s, m, h. */
function parseDuration(text: string, context: Context): number {
  if (text === "0") return 0;
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ms|s|m|h))+$/.test(text)) return refuse(context);
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/([\d.]+)(ms|s|m|h)/g)) {
    ms += Number(count) * (UNIT_MS[unit ?? ""] ?? Number.NaN);
  }
  return ms <= TIMER_MS_MAX ? ms : refuse(context);
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** The largest that makes sense: the memory of a large machine. */
const SIZE_MAX = 1024 ** 4;

function parseSize(text: string, context: Context): number {
  const [, count, unit] = /^(\d+)(KiB|MiB|GiB)$/.exec(text) ?? [];
  const bytes = Number(count) * (SIZE_UNITS[unit ?? ""] ?? Number.NaN);
  return bytes >= 1 && bytes <= SIZE_MAX ? bytes : refuse(context);
}

/** The largest number of a user or group; 2^32 − 1 means none. */
const ID_MAX = 4_294_967_294;

/** Numbers alone: the image has no names to look up. */
function parseUser(text: string, context: Context): User | undefined {
  if (text === "") return undefined;
  const [, first, second] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text) ?? [];
  const [uid, gid] = [Number(first), Number(second ?? first)];
  return uid <= ID_MAX && gid <= ID_MAX ? { uid, gid } : refuse(context);
}

function parseEngineAddress(text: string, context: Context): EngineAddress {
  const unix = /^unix:\/\/(\/.+)$/.exec(text)?.[1];
  if (unix !== undefined) return { kind: "unix", path: unix };
  const [, host, port] = /^tcp:\/\/([\w.-]+|\[[\da-fA-F:]+\]):(\d{1,5})\/?$/.exec(text) ?? [];
  if (host === undefined || port === undefined) return refuse(context);
  return { kind: "tcp", host, port: parsePort(port, context) };
}

/** Reports the value to zod; what is returned goes no further. */
function refuse(context: Context): never {
  context.issues.push({ code: "custom", input: context.value, message: "wrong" });
  return z.NEVER;
}
