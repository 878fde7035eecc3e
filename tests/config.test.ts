import { describe, expect, test } from "bun:test";
import { type Config, loadConfig } from "../src/config.ts";

const DEFAULTS: Config = {
  host: undefined,
  port: 8080,
  waitTimeoutMs: 0,
  drainTimeoutMs: 60_000,
  modelSearchBytesMax: 128 * 1024 ** 2,
  engine: { kind: "unix", path: "/var/run/docker.sock" },
  logLevel: "info",
  runtimeDirectory: "/dev/shm",
  user: undefined,
  trustedHosts: [],
  telemetry: undefined,
};

/** The proxy sends nothing. */
const SCRAPED: Config["telemetry"] = {
  traces: false,
  metrics: false,
  scrape: true,
  exportIntervalMs: 60_000,
  exportTimeoutMs: 30_000,
  spanExportsMax: 5,
  diagnostics: undefined,
};

const PORT = "expected a port from 1 to 65535";
const HOST = "expected an IP address, like 127.0.0.1 or ::1";
const NAMES =
  "expected names like proxy.example.com, separated by commas, without scheme, port and path";
const DURATION = "expected a duration like 500ms, 60s, 1m30s, 2h or 0";
const SIZE = "expected a size like 64KiB, 128MiB or 1GiB";
const ENGINE = "expected unix:///path/to/docker.sock or tcp://host:port";
const USER = "expected a user number, like 65532, or a user and a group number, like 65532:65532";
const LEVEL = "expected one of debug, info, warn, error";
const NO_TLS =
  "expected no value, because the proxy does not speak TLS to the engine; use the unix socket, or a socket proxy at tcp://host:port";

describe("loadConfig()", () => {
  test.each<[what: string, env: Record<string, string | undefined>]>([
    ["no variable is set", {}],
    [
      "all variables are empty",
      {
        PROXY_PORT: "",
        PROXY_DRAIN_TIMEOUT: "",
        DOCKER_HOST: "",
        DOCKER_TLS_VERIFY: "",
        LOG_LEVEL: "",
      },
    ],
    ["all variables are undefined", { PROXY_PORT: undefined, DOCKER_TLS_VERIFY: undefined }],
    [
      "only other variables are set",
      { PATH: "/bin", HTTP_PROXY: "http://x", DOCKER_CONTEXT: "y", PORT: "1" },
    ],
  ])("returns the defaults when %s", (_what, env) => {
    expect(loadConfig(env)).toEqual({ kind: "config", config: DEFAULTS, warnings: [] });
  });

  test.each<[name: string, value: string, config: Partial<Config>]>([
    ["PROXY_PORT", "1", { port: 1 }],
    ["PROXY_PORT", "65535", { port: 65_535 }],
    ["PROXY_MODEL_SEARCH_LIMIT", "64KiB", { modelSearchBytesMax: 65_536 }],
    ["PROXY_MODEL_SEARCH_LIMIT", "1MiB", { modelSearchBytesMax: 1_048_576 }],
    ["PROXY_MODEL_SEARCH_LIMIT", "2GiB", { modelSearchBytesMax: 2 * 1024 ** 3 }],
    ["PROXY_PORT", "08080", { port: 8080 }],
    ["PROXY_USER", "65532:65532", { user: { uid: 65_532, gid: 65_532 } }],
    ["PROXY_USER", "1000", { user: { uid: 1_000, gid: 1_000 } }],
    ["PROXY_USER", "0:4294967294", { user: { uid: 0, gid: 4_294_967_294 } }],
    ["PROXY_HOST", "127.0.0.1", { host: "127.0.0.1" }],
    ["PROXY_HOST", "0.0.0.0", { host: "0.0.0.0" }],
    ["PROXY_HOST", "::", { host: "::" }],
    ["PROXY_HOST", "2001:DB8::1", { host: "2001:DB8::1" }],
    ["PROXY_TRUSTED_HOSTS", "proxy.example.com", { trustedHosts: ["proxy.example.com"] }],
    ["PROXY_TRUSTED_HOSTS", " A.b , c_d-1.e.,f", { trustedHosts: ["a.b", "c_d-1.e", "f"] }],
    ["PROXY_TRUSTED_HOSTS", " ", { trustedHosts: [] }],
    ["PROXY_METRICS", "true", { telemetry: SCRAPED }],
    ["PROXY_METRICS", "false", {}],
    ["PROXY_DRAIN_TIMEOUT", "0", { drainTimeoutMs: 0 }],
    ["PROXY_DRAIN_TIMEOUT", "0s", { drainTimeoutMs: 0 }],
    ["PROXY_DRAIN_TIMEOUT", "500ms", { drainTimeoutMs: 500 }],
    ["PROXY_DRAIN_TIMEOUT", "60s", { drainTimeoutMs: 60_000 }],
    ["PROXY_DRAIN_TIMEOUT", "1m30s", { drainTimeoutMs: 90_000 }],
    ["PROXY_DRAIN_TIMEOUT", "2h", { drainTimeoutMs: 7_200_000 }],
    ["PROXY_DRAIN_TIMEOUT", "1.5h", { drainTimeoutMs: 5_400_000 }],
    ["PROXY_DRAIN_TIMEOUT", ".5s", { drainTimeoutMs: 500 }],
    ["PROXY_DRAIN_TIMEOUT", "1.s", { drainTimeoutMs: 1_000 }],
    ["PROXY_DRAIN_TIMEOUT", "1h1m1s1ms", { drainTimeoutMs: 3_661_001 }],
    ["PROXY_DRAIN_TIMEOUT", "2147483647ms", { drainTimeoutMs: 2_147_483_647 }],
    ["DOCKER_HOST", "unix:///run/user/1000/docker.sock", engine("/run/user/1000/docker.sock")],
    ["DOCKER_HOST", "unix:///with space", engine("/with space")],
    ["DOCKER_HOST", "tcp://socket-proxy:2375", engine("socket-proxy", 2375)],
    ["DOCKER_HOST", "tcp://10.0.0.1:1/", engine("10.0.0.1", 1)],
    ["DOCKER_HOST", "tcp://[2001:db8::1]:2375", engine("[2001:db8::1]", 2375)],
    ["LOG_LEVEL", "debug", { logLevel: "debug" }],
    ["LOG_LEVEL", "info", { logLevel: "info" }],
    ["LOG_LEVEL", "warn", { logLevel: "warn" }],
    ["LOG_LEVEL", "error", { logLevel: "error" }],
  ])("accepts %s=%s", (name, value, config) => {
    expect(loadConfig({ [name]: value })).toEqual({
      kind: "config",
      config: { ...DEFAULTS, ...config },
      warnings: [],
    });
  });

  test.each<[name: string, value: string, expected: string]>([
    ...["0", "65536", "100000", "-1", "80.5", "8e3", "0x50", "http", " 80", "1_000"].map(
      (value): [string, string, string] => ["PROXY_PORT", value, PORT],
    ),
    ...[
      "60",
      "-1s",
      "+1s",
      "1d",
      "1us",
      "s",
      "1 s",
      "1s ",
      "1.5.5s",
      ".s",
      "1S",
      "1m30",
      "Infinity",
    ].map((value): [string, string, string] => ["PROXY_DRAIN_TIMEOUT", value, DURATION]),
    ...["128", "128MB", "1.5GiB", "0MiB", "-1MiB", "1 MiB", "9999999GiB"].map(
      (value): [string, string, string] => ["PROXY_MODEL_SEARCH_LIMIT", value, SIZE],
    ),
    ...["localhost", "[::1]", "127.0.0.1:80", "1", "127.1", " ::1", "fe80::1%eth0", "*"].map(
      (value): [string, string, string] => ["PROXY_HOST", value, HOST],
    ),
    ...["a.b:80", "http://a.b", "a.b/", "*.a.b", "a b", "a,", ",", "a..b", "[::1]", "é.b"].map(
      (value): [string, string, string] => ["PROXY_TRUSTED_HOSTS", value, NAMES],
    ),
    ...["yes", "1", "TRUE", " true"].map((value): [string, string, string] => [
      "PROXY_METRICS",
      value,
      "expected true or false",
    ]),
    ...["2147483648ms", "25d", "597h", "1e3s", "00", "99999999999999999999h"].map(
      (value): [string, string, string] => ["PROXY_DRAIN_TIMEOUT", value, DURATION],
    ),
    ...[
      "/var/run/docker.sock",
      "unix://docker.sock",
      "unix:///",
      "ssh://user@host",
      "npipe:////./pipe/x",
    ].map((value): [string, string, string] => ["DOCKER_HOST", value, ENGINE]),
    ...[
      "http://host:2375",
      "host:2375",
      "tcp://host",
      "tcp://:2375",
      "tcp://host:0",
      "tcp://host:65536",
    ].map((value): [string, string, string] => ["DOCKER_HOST", value, ENGINE]),
    ...["tcp://host:2375/path", "tcp://user@host:2375", "tcp://::1:2375", "fd://"].map(
      (value): [string, string, string] => ["DOCKER_HOST", value, ENGINE],
    ),
    ...["root", "65532:", ":1", "-1", "1:2:3", "4294967295", "1.5"].map(
      (value): [string, string, string] => ["PROXY_USER", value, USER],
    ),
    ...["1", "0", "false"].map((value): [string, string, string] => [
      "DOCKER_TLS_VERIFY",
      value,
      NO_TLS,
    ]),
    ...["INFO", "trace", "warning", "0", "toString"].map((value): [string, string, string] => [
      "LOG_LEVEL",
      value,
      LEVEL,
    ]),
  ])("refuses %s=%s with one line that says what is accepted", (name, value, expected) => {
    expect(loadConfig({ [name]: value })).toEqual({
      kind: "wrong",
      errors: [`${name} is ${JSON.stringify(value)}: ${expected}`],
    });
  });

  test("reports errors of telemetry with the other errors, and passes on the warnings of telemetry", () => {
    const env = { PROXY_PORT: "x", OTEL_EXPORTER_OTLP_ENDPOINT: "collector" };
    expect(loadConfig(env)).toEqual({
      kind: "wrong",
      errors: [
        `PROXY_PORT is "x": ${PORT}`,
        'OTEL_EXPORTER_OTLP_ENDPOINT is "collector": expected a URL like http://collector:4318',
      ],
    });
    expect(loadConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4317" })).toMatchObject({
      kind: "config",
      config: { telemetry: { traces: true, metrics: true, scrape: false } },
      warnings: [expect.stringContaining("set OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318")],
    });
  });

  test("reports all wrong variables at once, one line each", () => {
    const env = {
      PROXY_PORT: "x",
      PROXY_DRAIN_TIMEOUT: "60",
      DOCKER_HOST: 'ssh://"\n',
      DOCKER_TLS_VERIFY: "1",
      LOG_LEVEL: "loud",
    };
    expect(loadConfig(env)).toEqual({
      kind: "wrong",
      errors: [
        `PROXY_PORT is "x": ${PORT}`,
        `PROXY_DRAIN_TIMEOUT is "60": ${DURATION}`,
        `DOCKER_HOST is "ssh://\\"\\n": ${ENGINE}`,
        `DOCKER_TLS_VERIFY is "1": ${NO_TLS}`,
        `LOG_LEVEL is "loud": ${LEVEL}`,
      ],
    });
  });

  test("does not replace a wrong value with a default", () => {
    expect(loadConfig({ PROXY_PORT: "9000", LOG_LEVEL: "loud" })).toEqual({
      kind: "wrong",
      errors: [`LOG_LEVEL is "loud": ${LEVEL}`],
    });
  });

  test("warns about each unknown PROXY_ variable", () => {
    const env = {
      ...{ PROXY_PORT: "9000", PROXY_DRAIN_TIMEOUT_S: "60", PROXY_PROT: "1", proxy_x: "y" },
      ...{ PROXY_API_KEY: "x" },
    };
    const known =
      "The proxy knows PROXY_PORT, PROXY_HOST, PROXY_WAIT_TIMEOUT, PROXY_DRAIN_TIMEOUT, PROXY_MODEL_SEARCH_LIMIT, PROXY_USER, PROXY_METRICS, PROXY_TRUSTED_HOSTS.";
    expect(loadConfig(env)).toEqual({
      kind: "config",
      config: { ...DEFAULTS, port: 9000 },
      warnings: [
        "PROXY_DRAIN_TIMEOUT_S has no effect: unknown variable. Did you mean PROXY_DRAIN_TIMEOUT?",
        "PROXY_PROT has no effect: unknown variable. Did you mean PROXY_PORT?",
        `PROXY_API_KEY has no effect: unknown variable. ${known}`,
      ],
    });
  });
});

function engine(place: string, port?: number): Partial<Config> {
  return {
    engine: port === undefined ? { kind: "unix", path: place } : { kind: "tcp", host: place, port },
  };
}
