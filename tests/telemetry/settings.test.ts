import { describe, expect, test } from "bun:test";
import { readTelemetrySettings, TELEMETRY_VARIABLES } from "../../src/telemetry/settings.ts";

const ENDPOINT = "http://collector:4318";
const BASE = { OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT };
const OFF = { settings: undefined, errors: [], warnings: [] };

describe("readTelemetrySettings()", () => {
  test.each<[why: string, env: Record<string, string | undefined>]>([
    ["no variable is set", {}],
    ["the endpoint is empty", { OTEL_EXPORTER_OTLP_ENDPOINT: "" }],
    ["the endpoint is blank", { OTEL_EXPORTER_OTLP_ENDPOINT: "  " }],
    ["the endpoint is undefined", { OTEL_EXPORTER_OTLP_ENDPOINT: undefined }],
    ["OpenTelemetry is disabled", { ...BASE, OTEL_SDK_DISABLED: "true" }],
    ["OpenTelemetry is disabled in capitals", { ...BASE, OTEL_SDK_DISABLED: "TRUE" }],
    [
      "both exporters are off",
      { ...BASE, OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none" },
    ],
    [
      "only other variables are set, even with wrong values",
      { OTEL_SERVICE_NAME: "x", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
    ],
  ])("is off if %s", (_why, env) => {
    expect(readTelemetrySettings(env, false)).toEqual(OFF);
  });

  test.each<[why: string, env: Record<string, string>, traces: boolean, metrics: boolean]>([
    ["the base endpoint", BASE, true, true],
    ["the endpoint of traces", { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ENDPOINT }, true, false],
    ["the endpoint of metrics", { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: ENDPOINT }, false, true],
    ["no traces", { ...BASE, OTEL_TRACES_EXPORTER: "none" }, false, true],
    ["no metrics", { ...BASE, OTEL_METRICS_EXPORTER: "none" }, true, false],
    ["OTEL_SDK_DISABLED=false", { ...BASE, OTEL_SDK_DISABLED: "false" }, true, true],
  ])("sends the right signals with %s", (_why, env, traces, metrics) => {
    const { settings, errors } = readTelemetrySettings(env, false);
    expect(settings).toMatchObject({ traces, metrics, scrape: false });
    expect(errors).toEqual([]);
  });

  test("allows scraping without an endpoint and when disabled, and then ignores variables for sending", () => {
    const wrong = { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_BSP_SCHEDULE_DELAY: "x" };
    for (const env of [wrong, { ...BASE, ...wrong, OTEL_SDK_DISABLED: "true" }]) {
      const { settings, errors, warnings } = readTelemetrySettings(env, true);
      expect(settings).toMatchObject({ traces: false, metrics: false, scrape: true });
      expect([errors, warnings]).toEqual([[], []]);
    }
  });

  test("returns the intervals and the level of OpenTelemetry's own messages", () => {
    expect(readTelemetrySettings(BASE, false).settings).toMatchObject({
      exportIntervalMs: 60_000,
      exportTimeoutMs: 30_000,
      spanExportsMax: 5,
      diagnostics: undefined,
    });
    expect(
      readTelemetrySettings({ ...BASE, OTEL_BSP_MAX_QUEUE_SIZE: "10000" }, false).settings,
    ).toMatchObject({ spanExportsMax: 21 });
    const env = { ...BASE, OTEL_METRIC_EXPORT_INTERVAL: "500", OTEL_LOG_LEVEL: "Debug" };
    expect(readTelemetrySettings(env, false).settings).toMatchObject({
      exportIntervalMs: 500,
      exportTimeoutMs: 500, // the SDK refuses a timeout longer than the interval
      diagnostics: "DEBUG",
    });
  });

  test.each([
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "a URL like http://collector:4318"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://collector", "a URL like http://collector:4318"],
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://", "a URL like http://collector:4318"],
    ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "yes", "a URL like http://collector:4318"],
    ["OTEL_SDK_DISABLED", "yes", "true or false"],
    ["OTEL_TRACES_EXPORTER", "console", "one of otlp, none"],
    ["OTEL_METRICS_EXPORTER", "prometheus", "one of otlp, none"],
    [
      "OTEL_EXPORTER_OTLP_PROTOCOL",
      "grpc",
      "http/protobuf, because the proxy does not support grpc and http/json",
    ],
    [
      "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
      "http/json",
      "http/protobuf, because the proxy does not support grpc and http/json",
    ],
    ["OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds from 1 to 2147483647"],
    ["OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "zstd", "one of none, gzip"],
    ["OTEL_METRIC_EXPORT_INTERVAL", "0", "milliseconds from 1 to 2147483647"],
    ["OTEL_METRIC_EXPORT_INTERVAL", "2147483648", "milliseconds from 1 to 2147483647"],
    ["OTEL_METRIC_EXPORT_TIMEOUT", "-1", "milliseconds from 1 to 2147483647"],
    ["OTEL_TRACES_SAMPLER_ARG", "1.5", "a number from 0 to 1"],
    ["OTEL_TRACES_SAMPLER_ARG", "half", "a number from 0 to 1"],
    ["OTEL_BSP_MAX_QUEUE_SIZE", "many", "a whole number from 1"],
    ["OTEL_RESOURCE_ATTRIBUTES", "a=b=c", "pairs like name=value,name2=value2, percent-encoded"],
    ["OTEL_RESOURCE_ATTRIBUTES", "a=%", "pairs like name=value,name2=value2, percent-encoded"],
    ["OTEL_LOG_LEVEL", "loud", "one of none, error, warn, info, debug, verbose, all"],
  ])("does not accept %s=%s", (name, value, expected) => {
    const { errors } = readTelemetrySettings({ ...BASE, [name]: value }, false);
    expect(errors).toEqual([`${name} is ${JSON.stringify(value)}: expected ${expected}`]);
  });

  test("refuses an unknown sampler and lists the known ones", () => {
    const { errors } = readTelemetrySettings({ ...BASE, OTEL_TRACES_SAMPLER: "sometimes" }, false);
    expect(errors).toEqual([
      'OTEL_TRACES_SAMPLER is "sometimes": expected one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio',
    ]);
  });

  test("does not show headers, because they contain keys", () => {
    const { errors } = readTelemetrySettings(
      { ...BASE, OTEL_EXPORTER_OTLP_HEADERS: "secret" },
      false,
    );
    expect(errors).toEqual([
      "OTEL_EXPORTER_OTLP_HEADERS is wrong: expected pairs like name=value,name2=value2, percent-encoded",
    ]);
  });

  test("accepts each default and common values", () => {
    const defaults = Object.entries(TELEMETRY_VARIABLES).map(([name, variable]) => [
      name,
      variable.default,
    ]);
    const env = {
      ...Object.fromEntries(defaults),
      OTEL_EXPORTER_OTLP_ENDPOINT: "https://user:key@otlp.example:443/path/",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Basic%20a2V5Cg==,x-scope=1,",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=prod, a=b%2Cc",
      OTEL_TRACES_SAMPLER: "traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.1",
    };
    expect(readTelemetrySettings(env, false)).toMatchObject({ errors: [], warnings: [] });
  });

  test.each<[env: Record<string, string>, mended: string]>([
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://otel:4317" },
      "OTEL_EXPORTER_OTLP_ENDPOINT=http://otel:4318",
    ],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://otel:4317/" },
      "OTEL_EXPORTER_OTLP_ENDPOINT=http://otel:4318",
    ],
    [
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://otel:4317" },
      "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://otel:4318/v1/traces",
    ],
    [
      {
        OTEL_EXPORTER_OTLP_ENDPOINT: "https://[::1]:4317",
        OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://otel:4317/x",
      },
      "OTEL_EXPORTER_OTLP_ENDPOINT=https://[::1]:4318 OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://otel:4318/x",
    ],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "c:4317" }, "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318"],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "grpc://10.0.0.5:4317" },
      "OTEL_EXPORTER_OTLP_ENDPOINT=http://10.0.0.5:4318",
    ],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://u:secret@c:4317" },
      "OTEL_EXPORTER_OTLP_ENDPOINT=http://u:***@c:4318",
    ],
  ])("warns once about the gRPC port: %p", (env, mended) => {
    const { warnings, errors } = readTelemetrySettings(env, false);
    expect(errors).toEqual([]);
    expect(warnings).toEqual([
      `port 4317 is for OTLP over gRPC, which the proxy does not support; set ${mended}`,
    ]);
  });

  test("an endpoint without a scheme, as for gRPC exporters, gets nothing, and the proxy still starts", () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4317" };
    expect(readTelemetrySettings(env, false)).toMatchObject({ settings: undefined, errors: [] });
    expect(readTelemetrySettings({ ...env, OTEL_SDK_DISABLED: "true" }, false).warnings).toEqual(
      [],
    );
  });

  test("does not warn about a base endpoint that is not used", () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4317",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://c:4318/v1/traces",
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://c:4318/v1/metrics",
    };
    expect(readTelemetrySettings(env, false).warnings).toEqual([]);
  });

  test("does not show a wrong URL with a password", () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "ftp://u:secret@c:4318" };
    expect(readTelemetrySettings(env, false).errors).toEqual([
      "OTEL_EXPORTER_OTLP_ENDPOINT is wrong: expected a URL like http://collector:4318",
    ]);
  });
});
