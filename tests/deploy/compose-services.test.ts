/** compose.yaml is what the README and docs/servers.md say, and its services fit each other. */
import { describe, expect, test } from "bun:test";
import { VARIABLES } from "../../src/config.ts";
import { LABELS } from "../../src/sources/labels.ts";
import { readText, tableOf } from "../support/docs.ts";

const README = readText("README.md");

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
  const { services } = Bun.YAML.parse(readText("compose.yaml")) as {
    readonly services: Readonly<Record<string, Service>>;
  };
  const servers = Object.entries(services).filter(([, { labels }]) => labels?.["inference.enable"]);

  test("has the images of the table in docs/servers.md", () => {
    const images = tableOf(readText("docs/servers.md"), "Server").map(
      ([server = ""]) => server.split(":")[0],
    );
    for (const image of ["vllm/vllm-openai", "lmsysorg/sglang", "ghcr.io/ggml-org/llama.cpp"]) {
      expect(readText("compose.yaml")).toContain(`image: ${image}:`);
      expect(images).toContain(image);
    }
  });

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
