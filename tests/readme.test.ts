import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { VARIABLES } from "../src/config.ts";
import { SERVER_STATES } from "../src/fleet/condition.ts";
import { ERRORS } from "../src/proxy/own/errors.ts";
import { LABELS } from "../src/sources/labels.ts";
import { METRICS } from "../src/telemetry/metrics.ts";
import { TELEMETRY_VARIABLES } from "../src/telemetry/settings.ts";

const ROOT = join(import.meta.dir, "..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** The rows of the table with this heading for its first column; code spans without their marks. */
function table(firstHeading: string): readonly (readonly string[])[] {
  const lines = README.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${firstHeading} |`));
  const rows: string[][] = [];
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith("|")) break;
    rows.push(
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim().replace(/^`([^`]*)`$/, "$1")),
    );
  }
  return rows;
}

describe("README.md", () => {
  test("has every label with its default, and no other", () => {
    const rows = table("Label").map(([label, value]) => [label, value === "–" ? undefined : value]);
    expect(Object.fromEntries(rows)).toStrictEqual(LABELS);
  });

  test("has every variable with its default, and no other", () => {
    const defaults = Object.entries(VARIABLES).map(([name, variable]) => [name, variable.default]);
    const rows = table("Variable").map(([name, value]) => [name, value === "–" ? "" : value]);
    expect(rows).toEqual(defaults);
  });

  test("every state of a container is explained, in the order of the code", () => {
    expect(table("State").map(([state]) => state)).toEqual([...SERVER_STATES]);
  });

  test("has every variable of OpenTelemetry's with its default, and no other", () => {
    const defaults = Object.entries(TELEMETRY_VARIABLES).map(([name, variable]) => [
      name,
      variable.default || "–",
    ]);
    const rows = table("OpenTelemetry's variable").flatMap(([names = "", value]) =>
      [...names.matchAll(/OTEL_\w+/g)].map(([name]) => [name, value]),
    );
    expect(rows.toSorted()).toEqual(defaults.toSorted());
  });

  test("has every metric with its unit and labels, and no other", () => {
    const metrics = Object.values(METRICS).map(({ name, unit, labels }) => [
      name,
      unit,
      labels.join(", ") || "–",
    ]);
    const rows = table("Metric").map((row) =>
      row.slice(0, 3).map((cell) => cell.replaceAll("`", "")),
    );
    expect(rows).toEqual(metrics);
  });

  test("has every code with its status, and no other", () => {
    const codes = Object.entries(ERRORS).map(([code, { status }]) => [code, String(status)]);
    const rows = table("Case").map(([, status, code]) => [code, status]);
    expect(Object.fromEntries(rows as [string, string][])).toEqual(Object.fromEntries(codes));
    expect(rows).toHaveLength(codes.length);
  });

  test("gives every server a port, and a health check on that port", () => {
    const rows = table("Server");
    expect(rows.length).toBeGreaterThan(8);
    for (const [server = "", port = "", check = ""] of rows) {
      const number = /\d+/.exec(port)?.[0];
      const isDefault = number === LABELS["inference.port"];
      expect([server, port]).toEqual([
        server,
        isDefault ? `${number}, the default` : `"${number}"`,
      ]);
      if (!check.startsWith("`ollama list`")) expect(check).toContain(`${number}`);
    }
  });

  test("compose.yaml and the table of servers agree on images", () => {
    const servers = table("Server").map(([server = ""]) => server.split(":")[0]);
    const compose = readFileSync(join(ROOT, "compose.yaml"), "utf8");
    for (const image of ["vllm/vllm-openai", "lmsysorg/sglang", "ghcr.io/ggml-org/llama.cpp"]) {
      expect(compose).toContain(`image: ${image}:`);
      expect(servers).toContain(image);
    }
  });

  test("names only commands that there are", () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    const named = [...README.matchAll(/(?:npm|bun) run ([\w:]+)/g)].map(([, name]) => name!);
    expect(named.length).toBeGreaterThan(5);
    for (const name of [...named, "start", "test"]) expect(Object.keys(scripts)).toContain(name);
  });
});

type Service = {
  readonly profiles?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly stop_grace_period?: string;
  readonly networks?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly command?: string | readonly string[];
};

describe("compose.yaml", () => {
  const { services } = Bun.YAML.parse(readFileSync(join(ROOT, "compose.yaml"), "utf8")) as {
    readonly services: Readonly<Record<string, Service>>;
  };
  const servers = Object.entries(services).filter(([, { labels }]) => labels?.["inference.enable"]);

  test("has the servers of the README, each behind a profile of its name", () => {
    expect(servers.map(([name]) => name)).toEqual(["llama-cpp", "tei", "vllm", "sglang"]);
    for (const [name, { profiles }] of servers) {
      expect(profiles).toEqual([name]);
      expect(README).toContain(`--profile ${name}`);
    }
  });

  test.each(servers)(
    "%s can be found, is checked on the port of its label, and may finish its answers if it does",
    (name, server) => {
      const port = server.labels?.["inference.port"] ?? LABELS["inference.port"];
      expect(server.healthcheck?.test.at(-1)).toContain(`http://localhost:${port}/`);
      // llama.cpp keeps connections open in silence until it is killed.
      expect(server.stop_grace_period).toBe(name === "llama-cpp" ? "10s" : "75s");
      expect(server.networks).toEqual(["inference"]);
      for (const label of Object.keys(server.labels ?? {}))
        expect(Object.keys(LABELS)).toContain(label);
    },
  );

  test("vLLM is told to finish its answers, and the proxy has time to", () => {
    expect(String(services["vllm"]?.command)).toContain("--shutdown-timeout 60");
    expect(services["proxy"]?.stop_grace_period).toBe("75s");
  });

  test("Traefik, too, lets answers finish for as long as the proxy", () => {
    const grace = `--entrypoints.web.transport.lifecycle.gracetimeout=${VARIABLES.PROXY_DRAIN_TIMEOUT.default}`;
    expect(services["traefik"]?.command).toContain(grace);
    expect(services["traefik"]?.stop_grace_period).toBe("75s");
  });

  test("vLLM's model is named as its image's entry point takes it", () => {
    // `vllm serve` warns of --model, "will be removed"; the positional one is the documented form.
    expect(String(services["vllm"]?.command)).not.toContain("--model");
    expect(README).not.toContain("--model my-org");
  });

  test("only the socket proxy has the socket, and the two that need it share its network", () => {
    const withSocket = Object.entries(services).filter(([, { volumes }]) =>
      volumes?.some((volume) => volume.includes("docker.sock")),
    );
    expect(withSocket.map(([name]) => name)).toEqual(["socket-proxy"]);
    expect(services["socket-proxy"]?.networks).toEqual(["docker-api"]);
    for (const name of ["traefik", "proxy"])
      expect(services[name]?.networks).toEqual(["inference", "docker-api"]);
    const endpoint = services["proxy"]?.environment?.["DOCKER_HOST"];
    expect(endpoint).toBe("tcp://socket-proxy:2375");
    expect(services["traefik"]?.command).toContain(`--providers.docker.endpoint=${endpoint}`);
  });

  test("Traefik is sent to the proxy's port", () => {
    const port =
      services["proxy"]?.labels?.["traefik.http.services.inference.loadbalancer.server.port"];
    expect(port).toBe(VARIABLES.PROXY_PORT.default);
  });
});
