/** What docs/two-proxies.md tells people to change in compose.yaml to run two proxies fits that file, and itself. */
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

/** What the labels say of each router, service or middleware: its name → option → value. */
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
  test("have a port of this machine each, one of which is that of a single one", () => {
    const [before = ""] = BEFORE.ports;
    const [address, first = "", target] = before.split(":");
    const last = Number(first) + (SHOWN.deploy?.replicas ?? 0) - 1;
    expect(SHOWN.deploy?.replicas).toBe(2);
    expect(SHOWN.ports).toEqual([`${address}:${first}-${last}:${target}`]);
    expect(DOCS).toContain(`${first} and ${last} of this machine`);
  });

  test("keep every label that a single one has", () => {
    expect(SHOWN.labels).toMatchObject(BEFORE.labels);
    for (const value of Object.values(SHOWN.labels)) expect(value).toBeString(); // Compose takes no other
  });

  test("name a service, an entry point and a middleware that there are", () => {
    const [routers, services] = [named("routers"), named("services")];
    expect([...routers.keys()]).toEqual(["inference", "responses"]);
    expect([...services.keys()]).toEqual(["inference", "responses"]);
    for (const [name, router] of routers) {
      expect(router.get("service")).toBe(name); // Traefik wants it named where a container has several
      const address = `--entrypoints.${router.get("entrypoints")}.address=`;
      expect(COMPOSE.services["traefik"]?.command?.join("\n")).toContain(address);
      expect(["", ...named("middlewares").keys()]).toContain(router.get("middlewares") ?? "");
    }
    for (const service of services.values()) {
      expect(service.get("loadbalancer.server.port")).toBe(VARIABLES.PROXY_PORT.default);
      expect(service.get("loadbalancer.healthcheck.path")).toBe(READYZ);
    }
  });

  test("have responses stay at one, by what the Traefik of compose.yaml has", () => {
    const [rule, other] = ["responses", "inference"].map(
      (name) => named("routers").get(name)?.get("rule") ?? "",
    );
    expect(rule).toBe(`PathPrefix(\`${RESPONSES}\`)`);
    expect(rule!.length).toBeGreaterThan(other!.length); // the longer one counts first
    expect(named("services").get("responses")?.get("loadbalancer.strategy")).toBe("hrw");
    expect(COMPOSE.services["traefik"]?.image).toBe("traefik:v3.6");
  });

  test("are read by Prometheus by the name of the service", () => {
    const [, job = ""] = /`(dns_sd_configs: .*?)`/.exec(DOCS) ?? [];
    expect(Bun.YAML.parse(job)).toEqual({
      dns_sd_configs: [{ names: ["proxy"], type: "A", port: Number(VARIABLES.PROXY_PORT.default) }],
    });
  });
});
