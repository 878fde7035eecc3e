/**
 * The setup of compose.yaml on a real engine: its networks, and a container for each of its services
 * with the service's environment, mounts, labels and restrictions. The images cannot be pulled, so
 * the servers are our stand-in on the port of their label, and the socket proxy is HAProxy. The proxy
 * is real.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chat, untilModels } from "../../support/client/requests.ts";
import { buildSocketProxyImage } from "../../support/engine/socket-proxy/image.ts";
import { installFrontProxies } from "../../support/front-proxies/programs.ts";
import { buildProxyImage, CAN_RUN, PROXY_IMAGE, socketPath } from "../../support/proxy/image.ts";
import {
  buildInferenceImage,
  dockerCli,
  TEST_LABEL,
} from "../../support/server/inference-server/image.ts";
import { until } from "../../support/until.ts";

type Service = {
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly volumes?: readonly string[];
  readonly networks: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly read_only?: boolean;
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
};

type ComposeFile = {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
};

const COMPOSE = Bun.YAML.parse(
  readFileSync(join(import.meta.dir, "../../../compose.yaml"), "utf8"),
) as ComposeFile;
const TIMEOUT_MS = 60_000;
const PREFIX = `lw-inference-proxy-test-compose-${process.pid}`;
const SERVERS = Object.entries(COMPOSE.services)
  .filter(([, { labels }]) => labels?.["inference.enable"] === "true")
  .map(([name]) => name);

const INSTALL = process.env["TEST_ENGINE"] === "install";
const HAS_ALL = CAN_RUN && (INSTALL || Bun.which("haproxy") !== null);
if (!HAS_ALL) console.log("compose.yaml is not tested: the test needs root, Debian and HAProxy.");

/** The arguments that Compose would use, except for the image. */
async function create(name: string, image: string, more: readonly string[] = []): Promise<void> {
  const service = COMPOSE.services[name]!;
  const { environment = {}, volumes = [], labels = {}, networks, security_opt = [] } = service;
  const flags = [
    ...["--name", `${PREFIX}-${name}`, "--label", TEST_LABEL],
    ...Object.entries(environment).flatMap(([key, value]) => [
      "--env",
      `${key}=${filledIn(value)}`,
    ]),
    ...volumes
      .filter((volume) => volume.startsWith("/"))
      .flatMap((volume) => ["--volume", volume.replace("/var/run/docker.sock", socketPath())]),
    ...Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...security_opt.flatMap((option) => ["--security-opt", option]),
    ...(service.read_only === true ? ["--read-only"] : []),
    ...["--stop-timeout", String(Number.parseInt(service.stop_grace_period ?? "10s", 10))],
    ...["--network", `${PREFIX}-${networks[0]}`, "--network-alias", name],
  ];
  await dockerCli("create", ...flags, ...more, image);
  for (const network of networks.slice(1)) {
    await dockerCli("network", "connect", `${PREFIX}-${network}`, `${PREFIX}-${name}`);
  }
  await dockerCli("start", `${PREFIX}-${name}`);
}

/** Expands variables as Compose does when none is set: `${NAME:-default}`. */
function filledIn(value: string | number): string {
  return String(value).replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1");
}

async function inspect(name: string, format: string): Promise<string> {
  return (await dockerCli("inspect", "--format", format, `${PREFIX}-${name}`)).trim();
}

describe.skipIf(!HAS_ALL)("compose.yaml", () => {
  let origin: string;

  beforeAll(async () => {
    if (Bun.which("haproxy") === null) await installFrontProxies();
    const socketProxy = await buildSocketProxyImage();
    const inference = await buildInferenceImage();
    await buildProxyImage();
    for (const [name, { internal }] of Object.entries(COMPOSE.networks)) {
      const flags = internal === true ? ["--internal"] : [];
      await dockerCli("network", "create", "--label", TEST_LABEL, ...flags, `${PREFIX}-${name}`);
    }
    await create("socket-proxy", socketProxy);
    await create("proxy", PROXY_IMAGE, ["--health-interval", "1s"]);
    for (const name of SERVERS) {
      const port = COMPOSE.services[name]?.labels?.["inference.port"] ?? "8000";
      await create(name, inference, ["--env", `PORT=${port}`, "--env", `MODELS=model-of-${name}`]);
    }
    const format = `{{(index .NetworkSettings.Networks "${PREFIX}-inference").IPAddress}}`;
    origin = `http://${await inspect("proxy", format)}:8080`;
  }, 300_000);

  afterAll(async () => {
    const names = [...SERVERS, "proxy", "socket-proxy"].map((name) => `${PREFIX}-${name}`);
    await dockerCli("rm", "--force", "--volumes", ...names);
    for (const name of Object.keys(COMPOSE.networks))
      await dockerCli("network", "rm", `${PREFIX}-${name}`);
  }, TIMEOUT_MS);

  test(
    "the proxy routes to every server, on the port of its label, over the shared network",
    async () => {
      await untilModels(origin, SERVERS.map((name) => `model-of-${name}`).sort());
      for (const name of SERVERS) {
        const answer = await chat(origin, `model-of-${name}`);
        expect([name, answer.status]).toEqual([name, 200]);
      }
    },
    TIMEOUT_MS,
  );

  test(
    "the proxy is healthy and does not run as root, because it needs no socket",
    async () => {
      await until(
        "the proxy is healthy",
        async () => (await inspect("proxy", "{{.State.Health.Status}}")) === "healthy",
        20_000,
      );
      const pid = await inspect("proxy", "{{.State.Pid}}");
      expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Uid:\s+65532\s/m);
      expect(await inspect("proxy", "{{.HostConfig.ReadonlyRootfs}}")).toBe("true");
      expect(await dockerCli("logs", `${PREFIX}-proxy`)).not.toContain('"level":"error"');
    },
    TIMEOUT_MS,
  );

  test(
    "clients on the proxy's network can read its metrics, clients through Traefik cannot",
    async () => {
      const status = async (headers: Record<string, string>): Promise<number> =>
        (await fetch(`${origin}/metrics`, { headers, keepalive: false })).status;
      expect(await status({ host: "proxy:8080" })).toBe(200);
      expect(await status({ "x-forwarded-for": "192.0.2.1" })).toBe(404);
    },
    TIMEOUT_MS,
  );

  test(
    "the proxy learns of a docker stop through the socket proxy at once",
    async () => {
      const name = SERVERS[0]!;
      await dockerCli("stop", "--time", "5", `${PREFIX}-${name}`);
      const rest = SERVERS.slice(1).map((server) => `model-of-${server}`);
      await untilModels(origin, rest.sort(), 2_000);
      await dockerCli("start", `${PREFIX}-${name}`);
      await untilModels(origin, SERVERS.map((server) => `model-of-${server}`).sort());
    },
    TIMEOUT_MS,
  );

  test(
    "the socket proxy lets only reads through",
    async () => {
      const format = `{{(index .NetworkSettings.Networks "${PREFIX}-docker-api").IPAddress}}`;
      const api = `http://${await inspect("socket-proxy", format)}:2375`;
      const status = async (method: string, path: string): Promise<number> =>
        (await fetch(`${api}${path}`, { method, keepalive: false })).status;
      expect(await status("GET", "/containers/json")).toBe(200);
      expect(await status("GET", "/images/json")).toBe(403);
      expect(await status("POST", "/containers/create")).toBe(403);
      expect(await status("DELETE", `/containers/${PREFIX}-proxy`)).toBe(403);
    },
    TIMEOUT_MS,
  );
});
