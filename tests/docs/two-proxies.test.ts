/** The changes that docs/two-proxies.md makes to compose.yaml fit that file and each other. */
import { describe, expect, test } from "bun:test";
import { VARIABLES } from "../../src/config.ts";
import { READYZ, RESPONSES } from "../../src/ground/paths.ts";
import { codeBlocks, readText } from "../support/docs.ts";

type Service = {
  readonly image: string;
  readonly command?: readonly string[];
  readonly ports: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly deploy?: { readonly replicas: number };
};

type ComposeFile = { readonly services: Readonly<Record<string, Service>> };

const DOCS = readText("docs/two-proxies.md");
const COMPOSE = parse(readText("compose.yaml"));
const SHOWN = parse(codeBlocks(DOCS, "yaml")[0] ?? "").services["proxy"]!;
const BEFORE = COMPOSE.services["proxy"]!;

function parse(text: string): ComposeFile {
  return Bun.YAML.parse(text) as ComposeFile;
}

/** The labels of each router, service or middleware: its name → option → value. */
function named(kind: "routers" | "services" | "middlewares"): Map<string, Map<string, string>> {
  const all = new Map<string, Map<string, string>>();
  for (const [label, value] of Object.entries(SHOWN.labels)) {
    const [, name, option] =
      new RegExp(`^traefik\\.http\\.${kind}\\.([^.]+)\\.(.+)$`).exec(label) ?? [];
    if (name === undefined || option === undefined) continue;
    all.set(name, (all.get(name) ?? new Map<string, string>()).set(option, value));
  }
  return all;
}

describe("two proxies in compose.yaml", () => {
  test("have one port of this machine each, and keep the port of a single proxy", () => {
    const [before = ""] = BEFORE.ports;
    const [address, first = "", target] = before.split(":");
    const last = Number(first) + (SHOWN.deploy?.replicas ?? 0) - 1;
    expect(SHOWN.deploy?.replicas).toBe(2);
    expect(SHOWN.ports).toEqual([`${address}:${first}-${last}:${target}`]);
    expect(DOCS).toContain(`${first} and ${last} of this machine`);
  });

  test("keep every label of a single proxy", () => {
    expect(SHOWN.labels).toMatchObject(BEFORE.labels);
    for (const value of Object.values(SHOWN.labels)) expect(value).toBeString(); // Compose accepts only strings
  });

  test("name only services, entry points and middlewares that exist", () => {
    const [routers, services] = [named("routers"), named("services")];
    expect([...routers.keys()]).toEqual(["inference", "responses"]);
    expect([...services.keys()]).toEqual(["inference", "responses"]);
    for (const [name, router] of routers) {
      expect(router.get("service")).toBe(name); // Traefik requires it where a container has several
      const address = `--entrypoints.${router.get("entrypoints")}.address=`;
      expect(COMPOSE.services["traefik"]?.command?.join("\n")).toContain(address);
      expect(["", ...named("middlewares").keys()]).toContain(router.get("middlewares") ?? "");
    }
    for (const service of services.values()) {
      expect(service.get("loadbalancer.server.port")).toBe(VARIABLES.PROXY_PORT.default);
      expect(service.get("loadbalancer.healthcheck.path")).toBe(READYZ);
    }
  });

  test("send each client's responses to one proxy, with a strategy of compose.yaml's Traefik", () => {
    const [rule, other] = ["responses", "inference"].map(
      (name) => named("routers").get(name)?.get("rule") ?? "",
    );
    expect(rule).toBe(`PathPrefix(\`${RESPONSES}\`)`);
    expect(rule!.length).toBeGreaterThan(other!.length); // Traefik tries the longer rule first
    expect(named("services").get("responses")?.get("loadbalancer.strategy")).toBe("hrw");
    expect(COMPOSE.services["traefik"]?.image).toBe("traefik:v3.6");
  });

  test("are found by Prometheus under the name of the service", () => {
    expect(Bun.YAML.parse(codeBlocks(DOCS, "yaml")[1] ?? "")).toEqual({
      dns_sd_configs: [{ names: ["proxy"], type: "A", port: Number(VARIABLES.PROXY_PORT.default) }],
    });
  });
});
