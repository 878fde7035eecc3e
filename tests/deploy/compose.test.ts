/**
 * What compose.yaml has for Prometheus, Grafana and the collector
 * fits the files in deploy/, in both directions.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { VARIABLES } from "../../src/config.ts";
import { SCRAPE_TARGETS } from "../../src/ground/paths.ts";
import { isLocalHost } from "../../src/proxy/own/inner.ts";
import type { Dashboard } from "../support/grafana.ts";

const ROOT = join(import.meta.dir, "../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

type Service = {
  readonly image: string;
  readonly profiles?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly networks: readonly string[];
  readonly ports?: readonly string[];
  readonly restart?: string;
};

type Compose = {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly volumes: Readonly<Record<string, null>>;
};

const TEXT = read("compose.yaml");
const { services, networks, volumes } = Bun.YAML.parse(TEXT) as Compose;
const OBSERVE = Object.entries(services).filter(([, { profiles }]) =>
  profiles?.includes("observe"),
);

/** Each mount of a service, as [source, target, …]. */
function mountsOf(name: string): readonly (readonly string[])[] {
  return services[name]?.volumes?.map((volume) => volume.split(":")) ?? [];
}

/** The file of this repository that is mounted at a path in the container. */
function mountedFile(service: string, path: string): string {
  const [source = "", target = ""] =
    mountsOf(service).find(([, mounted = ""]) => `${path}/`.startsWith(`${mounted}/`)) ?? [];
  return source + path.slice(target.length);
}

describe("compose.yaml", () => {
  test("mounts only files and volumes that exist, and the files read-only", () => {
    const all = Object.keys(services).flatMap(mountsOf);
    const files = all.filter(([source = ""]) => source.startsWith("./"));
    expect(files.length).toBeGreaterThan(4);
    for (const [source = "", target, mode] of files) {
      expect(statSync(join(ROOT, source)).size, source).toBeGreaterThan(0);
      expect([target, mode]).toEqual([target, "ro"]);
    }
    const named = all.map(([source = ""]) => source).filter((source) => /^[\w-]+$/.test(source));
    expect([...new Set(named)].toSorted()).toEqual(Object.keys(volumes).toSorted());
  });

  test("uses every network that it declares, and no other", () => {
    const used = new Set(Object.values(services).flatMap(({ networks: names }) => names));
    expect([...used].toSorted()).toEqual(Object.keys(networks).toSorted());
  });

  test("publishes Traefik to everyone, and the other services to this machine only", () => {
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => `${name} ${port}`),
    );
    expect(published).toEqual([
      "traefik 80:80",
      "proxy 127.0.0.1:8080:8080",
      "prometheus 127.0.0.1:9090:9090",
      "grafana 127.0.0.1:3000:3000",
    ]);
    const head = TEXT.slice(0, TEXT.indexOf("\nservices:"));
    for (const url of ["http://localhost:8080", "http://localhost:3000", "http://localhost:9090"])
      expect(head).toContain(url);
    expect(VARIABLES.PROXY_PORT.default).toBe("8080");
    expect(isLocalHost("localhost:8080", new Set())).toBe(true);
  });

  test("starts Prometheus, Grafana and the collector with one profile, each with a fixed version", () => {
    expect(OBSERVE.map(([name]) => name)).toEqual(["prometheus", "grafana", "otel-collector"]);
    for (const [name, { image, profiles, restart }] of OBSERVE) {
      expect([name, image]).toEqual([name, expect.stringMatching(/:v?\d+\.\d+\.\d+$/)]);
      expect([name, profiles, restart]).toEqual([name, ["observe"], "unless-stopped"]);
    }
    expect(TEXT).toContain("--profile observe");
  });

  test("turns the proxy's metrics on, and sends telemetry only if an endpoint is set", () => {
    expect(services["proxy"]?.environment).toMatchObject({
      PROXY_METRICS: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: `\${OTEL_EXPORTER_OTLP_ENDPOINT:-}`,
    });
  });

  test("turns metrics on for the servers that need a flag", () => {
    expect(String((services["sglang"] as { command?: string }).command)).toContain(
      "--enable-metrics",
    );
    expect(String((services["llama-cpp"] as { command?: string }).command)).toMatch(/--metrics$/);
  });
});

describe("Prometheus", () => {
  type Job = {
    readonly job_name: string;
    readonly static_configs?: readonly { readonly targets: readonly string[] }[];
    readonly http_sd_configs?: readonly { readonly url: string }[];
  };
  const folder = "/etc/prometheus"; // the folder in which the image looks for prometheus.yml
  const config = Bun.YAML.parse(read(mountedFile("prometheus", `${folder}/prometheus.yml`))) as {
    readonly global: { readonly scrape_interval: string };
    readonly rule_files: readonly string[];
    readonly scrape_configs: readonly Job[];
  };

  test("scrapes the proxy by its name and port, on a network that both share", () => {
    const [own, servers] = config.scrape_configs;
    const address = `proxy:${VARIABLES.PROXY_PORT.default}`;
    expect(own?.static_configs?.flatMap(({ targets }) => targets)).toEqual([address]);
    expect(servers?.http_sd_configs?.map(({ url }) => url)).toEqual([
      `http://${address}${SCRAPE_TARGETS}`,
    ]);
    expect(isLocalHost(address, new Set())).toBe(true);
    for (const name of ["prometheus", "proxy"])
      expect(services[name]?.networks).toContain("inference");
  });

  test("finds its rules", () => {
    const files = config.rule_files.map((file) => mountedFile("prometheus", join(folder, file)));
    expect(files).toEqual(["./deploy/prometheus/alerts.yml"]);
  });

  test("scrapes at the interval that Grafana assumes, at least four times in the shortest interval", () => {
    const seconds = Number.parseInt(config.global.scrape_interval, 10);
    expect(config.global.scrape_interval).toBe(`${seconds}s`);
    const [path = ""] = mountsOf("grafana")[0] ?? [];
    expect(read(join(path, "prometheus.yaml"))).toContain(`timeInterval: ${seconds}s`);
    const { list } = (JSON.parse(read("deploy/grafana/dashboard.json")) as Dashboard).templating;
    const intervals = list.find(({ name }) => name === "interval")?.query;
    expect(intervals).toStartWith("1m,");
    expect(seconds).toBeLessThanOrEqual(15);
  });
});

describe("Grafana", () => {
  const folder = "/etc/grafana/provisioning";
  const provisioned = <T>(kind: string): T => {
    const path = mountedFile("grafana", `${folder}/${kind}`);
    const [file = "", ...more] = readdirSync(join(ROOT, path));
    expect(more).toEqual([]);
    return Bun.YAML.parse(read(join(path, file))) as T;
  };

  test("queries Prometheus by its name, on a network that both share", () => {
    const { datasources } = provisioned<{ readonly datasources: readonly { url: string }[] }>(
      "datasources",
    );
    expect(datasources.map(({ url }) => url)).toEqual(["http://prometheus:9090"]);
    expect(services["grafana"]?.networks).toEqual(["observe"]);
    expect(services["prometheus"]?.networks).toContain("observe");
  });

  test("finds the dashboard, and shows it as the home page", () => {
    type Providers = {
      readonly providers: readonly { readonly options: { readonly path: string } }[];
    };
    const [{ options } = { options: { path: "" } }] =
      provisioned<Providers>("dashboards").providers;
    const home =
      services["grafana"]?.environment?.["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] ?? "";
    expect(home).toBe(`${options.path}/dashboard.json`);
    expect(mountedFile("grafana", home)).toBe("./deploy/grafana/dashboard.json");
  });
});

describe("the collector", () => {
  const path = mountedFile("otel-collector", "/etc/otelcol/config.yaml");
  type Pipeline = { readonly [part: string]: readonly string[] };
  type Parts = { readonly [name: string]: unknown };
  const config = Bun.YAML.parse(read(path)) as {
    readonly [part: string]: Parts;
    readonly receivers: {
      readonly otlp: { readonly protocols: { readonly http: { readonly endpoint: string } } };
    };
    readonly service: { readonly pipelines: { readonly [signal: string]: Pipeline } };
  };

  test("listens where compose.yaml says that the proxy can send to", () => {
    const { endpoint } = config.receivers.otlp.protocols.http;
    const [, name = "", port] = /ENDPOINT=http:\/\/([\w-]+):(\d+) docker compose/.exec(TEXT) ?? [];
    expect(services[name]?.networks).toEqual(["inference"]);
    expect(services["proxy"]?.networks).toContain("inference");
    expect(endpoint).toBe(`0.0.0.0:${port}`);
  });

  test("accepts traces and metrics, and its pipelines use only parts that the file defines", () => {
    const { pipelines } = config.service;
    expect(Object.keys(pipelines)).toEqual(["traces", "metrics"]);
    for (const parts of Object.values(pipelines)) {
      for (const [part, names] of Object.entries(parts)) {
        expect(Object.keys(config[part] ?? {})).toEqual([...names]);
      }
    }
  });

  test("says that no test runs it", () => {
    expect(read(path).split("\n").slice(0, 3).join("\n")).toContain("Not run by any test");
  });
});

test("the image contains nothing of deploy/ and docs/, only what .dockerignore allows", () => {
  const [first, ...rest] = read(".dockerignore").trim().split("\n");
  expect(first).toBe("*");
  const admitted = rest.filter((line) => line.startsWith("!"));
  expect(admitted.filter((line) => /deploy|docs/.test(line))).toEqual([]);
});
