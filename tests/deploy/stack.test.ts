/**
 * deploy/stack.yaml and its variant with a socket proxy use only what
 * Swarm supports, and match the proxy and compose.yaml.
 */

import { describe, expect, test } from "bun:test";
import { VARIABLES } from "../../src/config.ts";
import { parseDuration } from "../../src/ground/duration.ts";
import { LABELS, readLabels } from "../../src/sources/labels.ts";
import { readText } from "../support/docs.ts";
import { STACK_TEXT, withSocketProxy } from "../support/stack-file.ts";

type Updates = {
  readonly order: string;
  readonly failure_action?: string;
  readonly monitor?: string;
};

type Mount =
  | string
  | { readonly type: string; readonly target: string; readonly tmpfs: { readonly size: number } };

type Service = {
  readonly image: string;
  readonly command?: string | readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly { readonly published: number; readonly mode: string }[];
  readonly volumes?: readonly Mount[];
  readonly networks: readonly string[];
  readonly labels?: unknown;
  readonly stop_grace_period?: string;
  readonly healthcheck?: { readonly test: readonly string[]; readonly start_period: string };
  readonly deploy: {
    readonly replicas?: number;
    readonly endpoint_mode?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly placement?: { readonly constraints: readonly string[] };
    readonly update_config?: Updates;
    readonly rollback_config?: Updates;
    readonly resources?: { readonly reservations: Readonly<Record<string, unknown>> };
  };
};

type Stack = {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<
    Record<
      string,
      { readonly driver: string; readonly attachable?: boolean; readonly name?: string }
    >
  >;
  readonly volumes: Readonly<Record<string, null>>;
};

/**
 * Keys of a service that `docker stack deploy` ignores or refuses: UnsupportedProperties, DeprecatedProperties
 * and ForbiddenProperties of docker/cli (cli/compose/types), and keys that its schema lacks (tried with 20.10
 * and 28.2).
 */
const NOT_IN_SWARM = [
  ...["build", "cgroup_parent", "cgroupns_mode", "devices", "domainname", "external_links", "ipc"],
  ...["links", "mac_address", "network_mode", "pid", "privileged", "restart", "security_opt"],
  ...["shm_size", "userns_mode", "container_name", "expose", "extends", "volume_driver"],
  ...["volumes_from", "cpu_quota", "cpu_shares", "cpuset", "mem_limit", "memswap_limit"],
  ...["depends_on", "profiles", "runtime", "gpus"],
];

const SOCKET = "/var/run/docker.sock";
const PLAIN = Bun.YAML.parse(STACK_TEXT) as Stack;
const GUARDED = Bun.YAML.parse(withSocketProxy()) as Stack;
const COMPOSE = Bun.YAML.parse(readText("compose.yaml")) as {
  readonly services: Readonly<Record<string, Service>>;
};

const imageOf = ({ image }: Service): string => image;
const hasSocket = ({ volumes = [] }: Service): boolean =>
  volumes.some((volume) => typeof volume === "string" && volume.startsWith(SOCKET));

describe.each([
  ["deploy/stack.yaml", PLAIN],
  ["deploy/stack.yaml with a socket proxy", GUARDED],
])("%s", (_name, { services, networks, volumes }) => {
  const all = Object.entries(services);
  const { proxy, traefik, vllm } = services as { readonly [name: string]: Service } & {
    readonly proxy: Service;
    readonly traefik: Service;
    readonly vllm: Service;
  };

  test.each(all)("%s sets only keys that Swarm supports", (_service, service) => {
    expect(Object.keys(service).filter((key) => NOT_IN_SWARM.includes(key))).toEqual([]);
    expect(service.deploy.resources?.reservations ?? {}).not.toHaveProperty("devices");
  });

  test.each(all)("%s has the same image as in compose.yaml", (name, service) => {
    const inCompose = COMPOSE.services[name];
    expect(inCompose && imageOf(inCompose)).toBe(service.image);
  });

  test.each(all.filter(([name]) => name !== "socket-proxy"))(
    "%s gets time to finish its answers, and an update starts the new task first",
    (_service, { stop_grace_period = "", healthcheck, deploy }) => {
      const drainMs = parseDuration(VARIABLES.PROXY_DRAIN_TIMEOUT.default);
      expect(parseDuration(stop_grace_period)).toBeGreaterThan(drainMs ?? Number.NaN);
      expect(healthcheck?.test[0]).toBe("CMD");
      expect(deploy.replicas).toBe(2);
      expect(deploy.update_config).toMatchObject({
        order: "start-first",
        failure_action: "rollback",
      });
      expect(deploy.update_config?.monitor).toBeString();
      expect(deploy.rollback_config?.order).toBe("start-first");
    },
  );

  test("uses exactly the networks and volumes that it declares; only Traefik publishes a port and has a virtual IP", () => {
    const used = new Set(all.flatMap(([, service]) => service.networks));
    expect([...used].toSorted()).toEqual(Object.keys(networks).toSorted());
    for (const { driver } of Object.values(networks)) expect(driver).toBe("overlay");
    const named = all
      .flatMap(([, service]) => service.volumes ?? [])
      .flatMap((volume) => (typeof volume === "string" ? [volume.split(":")[0] ?? ""] : []))
      .filter((source) => !source.startsWith("/"));
    expect(named).toEqual(Object.keys(volumes));
    const published = all.filter(([, service]) => service.ports !== undefined);
    expect(published.map(([name]) => name)).toEqual(["traefik"]);
    expect(traefik.ports).toEqual([{ target: 80, published: 80, mode: "ingress" }] as never);
    for (const [name, { deploy }] of all) {
      if (name !== "traefik") expect([name, deploy.endpoint_mode]).toEqual([name, "dnsrr"]);
      else expect(deploy.endpoint_mode).toBeUndefined(); // Swarm refuses dnsrr together with a port of the mesh
    }
  });

  test("all services share one network with a fixed name that other stacks can join", () => {
    for (const service of [proxy, traefik, vllm]) expect(service.networks[0]).toBe("inference");
    expect(networks["inference"]).toEqual({
      name: "inference",
      driver: "overlay",
      attachable: true,
    });
  });

  test("every label of the proxy is valid, and is where Swarm shows it to the proxy", () => {
    for (const [, service] of all) expect(service.labels).toBeUndefined();
    const labels = vllm.deploy.labels ?? {};
    for (const label of Object.keys(labels)) expect(Object.keys(LABELS)).toContain(label);
    expect(readLabels(labels).kind).toBe("enabled");
    const port = labels["inference.port"] ?? LABELS["inference.port"];
    expect(vllm.healthcheck?.test.at(-1)).toContain(`http://localhost:${port}/`);
  });

  test("vLLM has one GPU for each task, its own /dev/shm, and time to finish its answers", () => {
    expect(vllm.deploy.resources?.reservations).toEqual({
      generic_resources: [{ discrete_resource_spec: { kind: "NVIDIA-GPU", value: 1 } }],
    });
    const shm = (vllm.volumes ?? []).filter((volume) => typeof volume !== "string");
    expect(shm).toEqual([{ type: "tmpfs", target: "/dev/shm", tmpfs: { size: 8 * 2 ** 30 } }]);
    expect(vllm.command).toBe(COMPOSE.services["vllm"]?.command);
    expect(parseDuration(vllm.healthcheck?.start_period ?? "")).toBe(15 * 60_000);
  });

  test("Traefik polls more often than the stop notice of Swarm lasts, and finds the proxy", () => {
    expect(traefik.command).toContain("--providers.swarm.refreshseconds=1");
    expect(traefik.command).toContain("--providers.swarm.network=inference");
    const grace = `--entrypoints.web.transport.lifecycle.gracetimeout=${VARIABLES.PROXY_DRAIN_TIMEOUT.default}`;
    expect(traefik.command).toContain(grace);
    const http = "traefik.http";
    expect(proxy.deploy.labels).toMatchObject({
      "traefik.enable": "true",
      "traefik.swarm.network": "inference",
      [`${http}.routers.inference.rule`]: "PathPrefix(`/v1`)",
      [`${http}.services.inference.loadbalancer.server.port`]: VARIABLES.PROXY_PORT.default,
      [`${http}.services.inference.loadbalancer.healthcheck.path`]: "/readyz",
    });
    expect(traefik.deploy.labels).toBeUndefined();
  });

  test("every variable of the proxy exists", () => {
    for (const name of Object.keys(proxy.environment ?? {}))
      expect(Object.keys(VARIABLES)).toContain(name);
  });

  test("every service with the socket runs on a manager", () => {
    for (const [name, service] of all.filter(([, each]) => hasSocket(each)))
      expect([name, service.deploy.placement?.constraints]).toEqual([
        name,
        ["node.role == manager"],
      ]);
  });
});

test("the proxy and Traefik mount the socket, vLLM does not", () => {
  const { services } = PLAIN;
  expect(Object.keys(services).filter((name) => hasSocket(services[name]!))).toEqual([
    "traefik",
    "proxy",
  ]);
  expect(services["proxy"]?.environment).not.toHaveProperty("DOCKER_HOST");
  expect(services["traefik"]?.command).toContain(`--providers.swarm.endpoint=unix://${SOCKET}`);
});

describe("with the socket proxy", () => {
  const { services, networks } = GUARDED;
  const guard = services["socket-proxy"]!;

  test("only it has the socket, on one manager; it allows what docs/security.md says, and networks for Traefik", () => {
    expect(Object.keys(services).filter((name) => hasSocket(services[name]!))).toEqual([
      "socket-proxy",
    ]);
    expect(guard.deploy.replicas ?? 1).toBe(1);
    const page = readText("docs/security.md");
    const [, told = ""] = /`(SERVICES=1 TASKS=1 NODES=1)`/.exec(page) ?? [];
    const allowed = Object.entries(guard.environment ?? {}).map((entry) => entry.join("="));
    expect(allowed).toEqual(["CONTAINERS=1", ...told.split(" "), "NETWORKS=1"]);
  });

  test("the other two use it over a network of their own, which vLLM is not on", () => {
    const address = "tcp://socket-proxy:2375";
    expect(services["proxy"]?.environment?.["DOCKER_HOST"]).toBe(address);
    expect(services["traefik"]?.command).toContain(`--providers.swarm.endpoint=${address}`);
    expect(services["traefik"]?.command).not.toContain(
      `--providers.swarm.endpoint=unix://${SOCKET}`,
    );
    expect(networks["docker-api"]).toEqual({ driver: "overlay", internal: true } as never);
    const on = Object.keys(services).filter((name) =>
      services[name]?.networks.includes("docker-api"),
    );
    expect(on).toEqual(["socket-proxy", "traefik", "proxy"]);
  });
});
