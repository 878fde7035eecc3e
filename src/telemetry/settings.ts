/**
 * Environment → what is reported, and where to. Names and values are OpenTelemetry's own; what the
 * SDK and its exporters read by themselves is only checked here, for they take a wrong value for none.
 */
import { TIMER_MS_MAX } from "../ground/timers.ts";

export type TelemetrySettings = {
  /** Sent by OTLP. */
  readonly traces: boolean;
  readonly metrics: boolean;
  /** Answered at /metrics. */
  readonly scrape: boolean;
  readonly exportIntervalMs: number;
  readonly exportTimeoutMs: number;
  /** Batches of spans that may be under way at once: as many as the queue has, and one. */
  readonly spanExportsMax: number;
  /** What OpenTelemetry says of itself goes to the log from this level up. */
  readonly diagnostics: DiagnosticsLevel | undefined;
};

export type DiagnosticsLevel = "NONE" | "ERROR" | "WARN" | "INFO" | "DEBUG" | "VERBOSE" | "ALL";

type Environment = Readonly<Record<string, string | undefined>>;

export type ReadSettings = {
  /** Undefined: everything is off. */
  readonly settings: TelemetrySettings | undefined;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
};

type Variable = {
  readonly default: string;
  readonly expected: string;
  readonly accepts: (value: string) => boolean;
};

/** As exporters over gRPC take it: nothing can be sent there, and nothing is; a warning says so. */
const BARE_GRPC = /^(?:grpc:\/\/)?([\w.-]+|\[[\da-f:]+\]):4317\/?$/i;

const NUMBER = { expected: "a whole number from 1", accepts: isCount } as const;
const MILLISECONDS = {
  expected: `milliseconds from 1 to ${TIMER_MS_MAX}`,
  accepts: isTimer,
} as const;
const URL_EXPECTED = {
  default: "–",
  expected: "a URL like http://collector:4318",
  accepts: (value: string) =>
    BARE_GRPC.test(value) || /^https?:$/.test(URL.parse(value)?.protocol ?? ""),
} as const;
const PROTOCOL = {
  default: "http/protobuf",
  ...oneOf("http/protobuf"),
  expected: "http/protobuf: the proxy speaks neither grpc nor http/json",
} as const;
const PAIRS = {
  default: "–",
  expected: "pairs like name=value,name2=value2, percent-encoded",
  accepts: (value: string) => arePairs(value, /^[^=]+=/),
} as const;
const COMPRESSION = { default: "none", ...oneOf("none", "gzip") } as const;
const EXPORTER = { default: "otlp", ...oneOf("otlp", "none") } as const;

/** What there is to set; only looked at where telemetry is on. */
export const TELEMETRY_VARIABLES: Readonly<Record<string, Variable>> = {
  OTEL_EXPORTER_OTLP_ENDPOINT: URL_EXPECTED,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: URL_EXPECTED,
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: URL_EXPECTED,
  OTEL_SDK_DISABLED: {
    default: "false",
    expected: "true, false",
    accepts: (value) => /^(?:true|false)$/i.test(value),
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
  OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: {
    default: "cumulative",
    ...oneOf("cumulative", "delta", "lowmemory"),
  },
  OTEL_METRIC_EXPORT_INTERVAL: { default: "60000", ...MILLISECONDS },
  OTEL_METRIC_EXPORT_TIMEOUT: { default: "30000", ...MILLISECONDS },
  OTEL_TRACES_SAMPLER: {
    default: "parentbased_always_on",
    ...oneOf(
      "always_on",
      "always_off",
      "traceidratio",
      "parentbased_always_on",
      "parentbased_always_off",
      "parentbased_traceidratio",
    ),
  },
  OTEL_TRACES_SAMPLER_ARG: {
    default: "1",
    expected: "a share from 0 to 1",
    accepts: (value) => Number(value) >= 0 && Number(value) <= 1,
  },
  OTEL_BSP_SCHEDULE_DELAY: { default: "5000", ...MILLISECONDS },
  OTEL_BSP_EXPORT_TIMEOUT: { default: "30000", ...MILLISECONDS },
  OTEL_BSP_MAX_QUEUE_SIZE: { default: "2048", ...NUMBER },
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: { default: "512", ...NUMBER },
  OTEL_SERVICE_NAME: { default: "inference-proxy", expected: "a name", accepts: () => true },
  OTEL_RESOURCE_ATTRIBUTES: { ...PAIRS, accepts: (value) => arePairs(value, /^[^=]+=[^=]*$/) },
  OTEL_LOG_LEVEL: {
    default: "–",
    expected: "none, error, warn, info, debug, verbose, all",
    accepts: (value) => /^(?:none|error|warn|info|debug|verbose|all)$/i.test(value),
  },
};

/** @param scrape whether the metrics are to be had at /metrics, which does not need OTLP */
export function readTelemetrySettings(env: Environment, scrape: boolean): ReadSettings {
  const read = (name: string): string => env[name]?.trim() || "";
  const isSent = (signal: "TRACES" | "METRICS"): boolean => {
    const endpoint = read(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`) || read(BASE_ENDPOINT);
    return (
      read(`OTEL_${signal}_EXPORTER`) !== "none" && endpoint !== "" && !BARE_GRPC.test(endpoint)
    );
  };
  const isDisabled = read("OTEL_SDK_DISABLED").toLowerCase() === "true";
  const warnings = isDisabled ? [] : grpcWarnings(read);
  const traces = isSent("TRACES") && !isDisabled;
  const metrics = isSent("METRICS") && !isDisabled;
  if (!traces && !metrics && !scrape) return { settings: undefined, errors: [], warnings };

  const errors = Object.entries(TELEMETRY_VARIABLES)
    .filter(([name]) => traces || metrics || !ONLY_SENT.test(name))
    .filter(([name, { accepts }]) => read(name) !== "" && !accepts(read(name)))
    .map(([name, { expected }]) => {
      const isSecret = name.endsWith("HEADERS") || read(name).includes("@"); // keys, passwords
      const value = isSecret ? "wrong" : JSON.stringify(env[name]);
      return `${name} is ${value}: expected ${expected}`;
    });
  const number = (name: string): number => Number(read(name) || TELEMETRY_VARIABLES[name]?.default);
  const exportIntervalMs = number("OTEL_METRIC_EXPORT_INTERVAL");
  const settings: TelemetrySettings = {
    traces,
    metrics,
    scrape,
    exportIntervalMs,
    exportTimeoutMs: Math.min(number("OTEL_METRIC_EXPORT_TIMEOUT"), exportIntervalMs),
    spanExportsMax:
      Math.ceil(number("OTEL_BSP_MAX_QUEUE_SIZE") / number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")) + 1,
    diagnostics: (read("OTEL_LOG_LEVEL").toUpperCase() || undefined) as
      | DiagnosticsLevel
      | undefined,
  };
  return { settings, errors, warnings };
}

/** What says nothing to whoever only scrapes. */
const ONLY_SENT = /_EXPORT|_BSP_|_SAMPLER|_DISABLED/;
const BASE_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT";
const GRPC_PORT = "4317";
const HTTP_PORT = "4318";

/** One for all variables that decide where something is sent. */
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
    `port ${GRPC_PORT} is for OTLP over gRPC, which the proxy does not speak; write ${mended.join(" ")}`,
  ];
}

function oneOf(...values: readonly string[]): Pick<Variable, "expected" | "accepts"> {
  return { expected: values.join(", "), accepts: (value) => values.includes(value) };
}

function isCount(value: string): boolean {
  return /^\d+$/.test(value) && Number(value) >= 1 && Number.isSafeInteger(Number(value));
}

function isTimer(value: string): boolean {
  return isCount(value) && Number(value) <= TIMER_MS_MAX;
}

/** As in a W3C baggage header, which is what OpenTelemetry says of these lists. */
function arePairs(value: string, form: RegExp): boolean {
  try {
    decodeURIComponent(value);
  } catch {
    return false;
  }
  const pairs = value.split(",").filter((pair) => pair.trim() !== "");
  return pairs.every((pair) => form.test(pair.trim()));
}
