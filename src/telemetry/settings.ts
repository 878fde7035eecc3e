/**
 * Parses the OpenTelemetry variables of the environment: what to report, and where to. Names and values are
 * the standard ones. The SDK and its exporters read most variables themselves and ignore a wrong value. So
 * this file checks all of them, although it uses only a few. Sends nothing.
 */
import { z } from "zod/mini";
import {
  type Environment,
  type ParseContext,
  parsedBy,
  readVariables,
  refuse,
  type Variable,
} from "../ground/environment.ts";
import { TIMER_MS_MAX } from "../ground/timers.ts";

export type TelemetrySettings = {
  /** Whether the proxy sends traces over OTLP. */
  readonly traces: boolean;
  /** Whether the proxy sends metrics over OTLP. */
  readonly metrics: boolean;
  /** Whether /metrics shows the metrics. */
  readonly scrape: boolean;
  readonly exportIntervalMs: number;
  readonly exportTimeoutMs: number;
  /** How many batches of spans may be in flight at once: as many as the queue holds, plus one. */
  readonly spanExportsMax: number;
  /** The lowest level of OpenTelemetry's own messages that go to the log; undefined: none. */
  readonly diagnostics: DiagnosticsLevel | undefined;
};

const DIAGNOSTICS_LEVELS = ["none", "error", "warn", "info", "debug", "verbose", "all"] as const;
export type DiagnosticsLevel = Uppercase<(typeof DIAGNOSTICS_LEVELS)[number]>;

export type ReadSettings = {
  /** Undefined: everything is off. */
  readonly settings: TelemetrySettings | undefined;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
};

/** An endpoint in the form of gRPC exporters. The proxy cannot send there, so it sends nothing and warns. */
const BARE_GRPC = /^(?:grpc:\/\/)?([\w.-]+|\[[\da-f:]+\]):4317\/?$/i;

const ENDPOINT = {
  default: "",
  expected: "a URL like http://collector:4318",
  schema: text((value) => BARE_GRPC.test(value) || isHttpUrl(value)),
} as const;
const PROTOCOL = {
  ...oneOf(["http/protobuf"], "http/protobuf"),
  expected: "http/protobuf, because the proxy does not support grpc and http/json",
} as const;
const PAIRS = {
  default: "",
  expected: "pairs like name=value,name2=value2, percent-encoded",
  schema: text((value) => arePairs(value, /^[^=]+=/)),
} as const;
const COUNT = {
  expected: "a whole number from 1",
  schema: numberUpTo(Number.MAX_SAFE_INTEGER),
} as const;
const MILLISECONDS = {
  expected: `milliseconds from 1 to ${TIMER_MS_MAX}`,
  schema: numberUpTo(TIMER_MS_MAX),
} as const;
const COMPRESSION = oneOf(["none", "gzip"], "none");
const EXPORTER = oneOf(["otlp", "none"], "otlp");

/** The variables that users can set. The proxy checks them only if telemetry is on. */
export const TELEMETRY_VARIABLES = {
  OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ENDPOINT,
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: ENDPOINT,
  OTEL_SDK_DISABLED: {
    default: "false",
    expected: "true or false",
    schema: text((value) => /^(?:true|false)$/i.test(value)),
  },
  OTEL_TRACES_EXPORTER: EXPORTER,
  OTEL_METRICS_EXPORTER: EXPORTER,
  OTEL_EXPORTER_OTLP_PROTOCOL: PROTOCOL,
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: PROTOCOL,
  OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: PROTOCOL,
  OTEL_EXPORTER_OTLP_HEADERS: PAIRS,
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: PAIRS,
  OTEL_EXPORTER_OTLP_METRICS_HEADERS: PAIRS,
  OTEL_EXPORTER_OTLP_TIMEOUT: { default: "10000", ...MILLISECONDS },
  OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: { default: "10000", ...MILLISECONDS },
  OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: { default: "10000", ...MILLISECONDS },
  OTEL_EXPORTER_OTLP_COMPRESSION: COMPRESSION,
  OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: COMPRESSION,
  OTEL_EXPORTER_OTLP_METRICS_COMPRESSION: COMPRESSION,
  OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: oneOf(
    ["cumulative", "delta", "lowmemory"],
    "cumulative",
  ),
  OTEL_METRIC_EXPORT_INTERVAL: { default: "60000", ...MILLISECONDS },
  OTEL_METRIC_EXPORT_TIMEOUT: { default: "30000", ...MILLISECONDS },
  OTEL_TRACES_SAMPLER: oneOf(
    [
      "always_on",
      "always_off",
      "traceidratio",
      "parentbased_always_on",
      "parentbased_always_off",
      "parentbased_traceidratio",
    ],
    "parentbased_always_on",
  ),
  OTEL_TRACES_SAMPLER_ARG: {
    default: "1",
    expected: "a number from 0 to 1",
    schema: text((value) => Number(value) >= 0 && Number(value) <= 1),
  },
  OTEL_BSP_SCHEDULE_DELAY: { default: "5000", ...MILLISECONDS },
  OTEL_BSP_EXPORT_TIMEOUT: { default: "30000", ...MILLISECONDS },
  OTEL_BSP_MAX_QUEUE_SIZE: { default: "2048", ...COUNT },
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: { default: "512", ...COUNT },
  OTEL_SERVICE_NAME: { default: "inference-proxy", expected: "a name", schema: z.string() },
  OTEL_RESOURCE_ATTRIBUTES: {
    ...PAIRS,
    schema: text((value) => arePairs(value, /^[^=]+=[^=]*$/)),
  },
  OTEL_LOG_LEVEL: {
    default: "",
    expected: `one of ${DIAGNOSTICS_LEVELS.join(", ")}`,
    schema: parsedBy(parseDiagnostics),
  },
} as const;

/** @param scrape whether /metrics shows the metrics, which does not need OTLP */
export function readTelemetrySettings(env: Environment, scrape: boolean): ReadSettings {
  const set: Environment = Object.fromEntries(
    Object.keys(TELEMETRY_VARIABLES).map((name) => [name, env[name]?.trim()]),
  );
  const isDisabled = set["OTEL_SDK_DISABLED"]?.toLowerCase() === "true";
  const traces = !isDisabled && isSent("TRACES", set);
  const metrics = !isDisabled && isSent("METRICS", set);
  const warnings = isDisabled ? [] : grpcWarnings((name) => set[name] ?? "");
  if (!traces && !metrics && !scrape) return { settings: undefined, errors: [], warnings };

  const read = readVariables(TELEMETRY_VARIABLES, traces || metrics ? set : withoutSending(set));
  if (read.kind === "wrong") {
    return { settings: undefined, errors: read.names.map((name) => errorOf(name, env)), warnings };
  }
  const { values } = read;
  const exportIntervalMs = values.OTEL_METRIC_EXPORT_INTERVAL;
  const settings: TelemetrySettings = {
    traces,
    metrics,
    scrape,
    exportIntervalMs,
    exportTimeoutMs: Math.min(values.OTEL_METRIC_EXPORT_TIMEOUT, exportIntervalMs),
    spanExportsMax:
      Math.ceil(values.OTEL_BSP_MAX_QUEUE_SIZE / values.OTEL_BSP_MAX_EXPORT_BATCH_SIZE) + 1,
    diagnostics: values.OTEL_LOG_LEVEL,
  };
  return { settings, errors: [], warnings };
}

function isSent(signal: "TRACES" | "METRICS", set: Environment): boolean {
  const endpoint = set[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`] || set[BASE_ENDPOINT] || "";
  return set[`OTEL_${signal}_EXPORTER`] !== "none" && endpoint !== "" && !BARE_GRPC.test(endpoint);
}

/** Leaves out the variables that matter only for sending. */
function withoutSending(set: Environment): Environment {
  return Object.fromEntries(Object.entries(set).filter(([name]) => !ONLY_SENT.test(name)));
}

/** The line for a wrong variable. It does not show a value that may contain a key or a password. */
function errorOf(name: string, env: Environment): string {
  const variables: Readonly<Record<string, Variable>> = TELEMETRY_VARIABLES;
  const value = env[name];
  const isSecret = name.endsWith("HEADERS") || value?.includes("@") === true;
  const shown = isSecret ? "wrong" : JSON.stringify(value);
  return `${name} is ${shown}: expected ${variables[name]?.expected}`;
}

const ONLY_SENT = /_EXPORT|_BSP_|_SAMPLER|_DISABLED/;
const BASE_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT";
const GRPC_PORT = "4317";
const HTTP_PORT = "4318";

/** @returns at most one warning, for all used endpoints with the gRPC port */
function grpcWarnings(read: (name: string) => string): readonly string[] {
  const nameOf = (signal: string): string => `OTEL_EXPORTER_OTLP${signal}_ENDPOINT`;
  const own = ["_TRACES", "_METRICS"].filter((signal) => read(nameOf(signal)) !== "");
  const mended = [...(own.length < 2 ? [""] : []), ...own].flatMap((signal) => {
    const value = read(nameOf(signal));
    const url = URL.parse(value.replace(BARE_GRPC, "http://$1:4317"));
    if (url?.port !== GRPC_PORT) return [];
    url.port = HTTP_PORT;
    if (url.password !== "") url.password = "***";
    if (signal !== "" && url.pathname === "/")
      url.pathname = `/v1${signal.toLowerCase().replace("_", "/")}`;
    return [`${nameOf(signal)}=${url.href.replace(/\/$/, "")}`];
  });
  if (mended.length === 0) return [];
  return [
    `port ${GRPC_PORT} is for OTLP over gRPC, which the proxy does not support; set ${mended.join(" ")}`,
  ];
}

/** A schema that only checks a text: the SDK reads the value itself. */
function text(accepts: (value: string) => boolean) {
  return z.string().check(z.refine((value) => value === "" || accepts(value)));
}

function oneOf(values: readonly string[], byDefault: string): Variable {
  return { default: byDefault, expected: `one of ${values.join(", ")}`, schema: z.enum(values) };
}

/** A schema for whole numbers. Variables share it, because creating one takes about 0.1 ms at each start. */
function numberUpTo(max: number) {
  return parsedBy((digits, context) => {
    const number = /^\d+$/.test(digits) ? Number(digits) : 0;
    return number >= 1 && number <= max ? number : refuse(context);
  });
}

function isHttpUrl(value: string): boolean {
  return /^https?:$/.test(URL.parse(value)?.protocol ?? "");
}

function parseDiagnostics(level: string, context: ParseContext): DiagnosticsLevel | undefined {
  if (level === "") return undefined;
  const isKnown = DIAGNOSTICS_LEVELS.some((known) => known === level.toLowerCase());
  return isKnown ? (level.toUpperCase() as DiagnosticsLevel) : refuse(context);
}

/**
 * Whether the value is a list in the format of a W3C baggage header, which OpenTelemetry uses for these
 * variables.
 */
function arePairs(value: string, form: RegExp): boolean {
  try {
    decodeURIComponent(value);
  } catch {
    return false;
  }
  const pairs = value.split(",").filter((pair) => pair.trim() !== "");
  return pairs.every((pair) => form.test(pair.trim()));
}
