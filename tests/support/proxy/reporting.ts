/** The real proxy with telemetry, which reports to a collector of the test. */
import type { Backend } from "../../../src/routing/backend.ts";
import type { Observed } from "../../../src/telemetry/instruments.ts";
import { createOtel } from "../../../src/telemetry/otel.ts";
import { readTelemetrySettings } from "../../../src/telemetry/settings.ts";
import type { Telemetry } from "../../../src/telemetry/telemetry.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "../collector/receiver.ts";
import { type RunningProxy, startProxy } from "./in-process.ts";
import { type MemoryLog, memoryLog } from "./memory-log.ts";

export type TestTelemetry = Disposable & {
  readonly telemetry: Telemetry;
  readonly receiver: OtlpReceiver;
  readonly log: MemoryLog;
};

type Environment = Readonly<Record<string, string>>;

/** The observed values, unless a test sets others. */
export const NOTHING_OBSERVED: Observed = {
  activeBackends: () => 0,
  backendLoads: () => [],
  modelBackends: () => [],
  containers: () => [],
  isEngineConnected: () => false,
};

type TestInit = Partial<Observed> & {
  /** A function gets the origin of the collector. */
  readonly env?: Environment | ((origin: string) => Environment);
  readonly scrape?: boolean;
  readonly containerId?: string;
};

/** Telemetry to a collector at its base endpoint, unless `env` sets other endpoints. */
export function startTestTelemetry({
  scrape = false,
  containerId,
  ...init
}: TestInit = {}): TestTelemetry {
  const receiver = startOtlpReceiver();
  const env =
    typeof init.env === "function"
      ? init.env(receiver.origin)
      : (init.env ?? { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.origin });
  const { settings, errors } = readTelemetrySettings(env, scrape);
  if (settings === undefined) throw new Error(`Telemetry is off: ${errors.join("; ")}`);
  const log = memoryLog();
  const telemetry = inEnvironment(env, () =>
    createOtel({
      ...NOTHING_OBSERVED,
      ...init,
      settings,
      log,
      version: "1.2.3",
      containerId,
    }),
  );
  return { telemetry, receiver, log, [Symbol.dispose]: () => receiver[Symbol.dispose]() };
}

/** The exporters read their variables from the environment when they are created. */
function inEnvironment<T>(env: Environment, make: () => T): T {
  const before = { ...process.env };
  Object.assign(process.env, env);
  try {
    return make();
  } finally {
    for (const name of Object.keys(env)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}

export type ReportingProxy = TestTelemetry & {
  readonly proxy: RunningProxy;
  /** Sends all spans, and ends the telemetry. */
  readonly spans: () => Promise<{
    readonly servers: readonly ReceivedSpan[];
    readonly clients: readonly ReceivedSpan[];
  }>;
};

export function startReportingProxy(
  backends: readonly Backend[],
  init: TestInit = {},
): ReportingProxy {
  const test = startTestTelemetry(init);
  const proxy = startProxy({ backends, telemetry: test.telemetry });
  return {
    ...test,
    proxy,
    spans: async () => {
      await test.telemetry.shutdown();
      const { spans } = test.receiver;
      return {
        servers: spans.filter(({ kind }) => kind === "SERVER"),
        clients: spans.filter(({ kind }) => kind === "CLIENT"),
      };
    },
    [Symbol.dispose]: () => {
      proxy[Symbol.dispose]();
      test[Symbol.dispose]();
    },
  };
}

/** The lines of one metric as Prometheus gets them, without the labels that all lines share. */
export async function scraped(telemetry: Telemetry, name: string): Promise<readonly string[]> {
  const text = (await telemetry.scrape?.()) ?? "";
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`))
    .map((line) => line.replace(/,?otel_scope_\w+="[^"]*"/g, "").slice(name.length));
}
