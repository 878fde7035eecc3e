/** compose.yaml matches README.md and docs/servers.md, and its services fit together. */
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

  test("uses the images of the table in docs/servers.md", () => {
    const images = tableOf(readText("docs/servers.md"), "Server").map(
      ([server = ""]) => server.split(":")[0],
    );
    for (const image of ["vllm/vllm-openai", "lmsysorg/sglang", "ghcr.io/ggml-org/llama.cpp"]) {
      expect(readText("compose.yaml")).toContain(`image: ${image}:`);
      expect(images).toContain(image);
    }
  });

  test("has the servers of README.md, each behind a profile of the same name", () => {
    expect(servers.map(([name]) => name)).toEqual(["llama-cpp", "tei", "vllm", "sglang"]);
    for (const [name, { profiles }] of servers) {
      expect(profiles).toEqual([name]);
      expect(README).toContain(`--profile ${name}`);
    }
  });

  test.each(servers)(
    "%s: the health check uses the port of the label, all labels exist, and the grace period fits the server",
    (name, server) => {
      const port = server.labels?.["inference.port"] ?? LABELS["inference.port"];
      expect(server.healthcheck?.test.at(-1)).toContain(`http://localhost:${port}/`);
      // llama.cpp keeps idle connections open until Docker kills it.
      expect(server.stop_grace_period).toBe(name === "llama-cpp" ? "10s" : "75s");
      expect(server.networks).toEqual(["inference"]);
      for (const label of Object.keys(server.labels ?? {}))
        expect(Object.keys(LABELS)).toContain(label);
    },
  );

  test("vLLM gets time to finish its answers, and so does the proxy", () => {
    expect(String(services["vllm"]?.command)).toContain("--shutdown-timeout 60");
    expect(services["proxy"]?.stop_grace_period).toBe("75s");
  });

  test("Traefik lets answers finish for as long as the proxy does", () => {
    const grace = `--entrypoints.web.transport.lifecycle.gracetimeout=${VARIABLES.PROXY_DRAIN_TIMEOUT.default}`;
    expect(services["traefik"]?.command).toContain(grace);
    expect(services["traefik"]?.stop_grace_period).toBe("75s");
  });

  test("vLLM's model is a positional argument, as the image's entry point expects", () => {
    // `vllm serve` warns that --model "will be removed". The positional argument is the documented form.
    expect(String(services["vllm"]?.command)).not.toContain("--model");
    expect(README).not.toContain("--model my-org");
  });

  test("only the socket proxy has the socket, and the two services that need it share its network", () => {
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

  test("Traefik uses the proxy's port", () => {
    const port =
      services["proxy"]?.labels?.["traefik.http.services.inference.loadbalancer.server.port"];
    expect(port).toBe(VARIABLES.PROXY_PORT.default);
  });
});
