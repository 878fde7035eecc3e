/**
 * Builds the real Dockerfile on stand-ins for its base images, which tests cannot pull, and starts
 * containers.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { dockerCli, TEST_LABEL } from "../server/inference-server/image.ts";
import { until } from "../until.ts";

const ROOT = join(import.meta.dir, "../../..");
const REPOSITORY = "lw-inference-proxy-test";
/** Named after Bun's version, because the image holds this machine's Bun. */
const BUN_BASE = `${REPOSITORY}/bun:${Bun.version}`;
const BASE = `${REPOSITORY}/base-debian12:1`;
export const PROXY_IMAGE = `${REPOSITORY}/proxy`;

/** The stand-ins consist of Debian packages. Only root can keep the owners of their files. */
const CAN_BUILD = existsSync("/etc/debian_version") && process.getuid?.() === 0;

/** A container of the image needs the engine's socket. */
export const CAN_RUN =
  process.env["TEST_ENGINE"] === "install" ||
  (CAN_BUILD && !process.env["DOCKER_HOST"]?.startsWith("tcp:"));

/** @returns the builder's output */
export async function buildProxyImage(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const present = await dockerCli("image", "ls", "--quiet", BUN_BASE);
  if (present.trim() === "") {
    const script = join(import.meta.dir, "make-base-images.sh");
    await run(["bash", script, BUN_BASE, BASE, process.execPath, TEST_LABEL], {});
  }
  return run(
    [
      ...[process.execPath, ".ci/image.ts", "--tag", PROXY_IMAGE, "--label", TEST_LABEL],
      ...["--build-arg", `BUN_IMAGE=${BUN_BASE}`, "--build-arg", `BASE_IMAGE=${BASE}`],
      // Independent of the engine's networks: the packages come from the same place as this machine's.
      ...["--network", "host"],
    ],
    { DOCKER_BUILDKIT: "0", ...env },
  );
}

export type ProxyContainer = AsyncDisposable & {
  readonly name: string;
  readonly log: () => Promise<string>;
  /** Its address from this host, which may change with a restart. */
  readonly origin: () => Promise<string>;
  /** A line of /proc/<pid>/status of the container's first process: `Uid`, `Groups`, `CapEff`. */
  readonly processStatus: (field: string) => Promise<readonly string[]>;
  readonly inspect: (format: string) => Promise<string>;
};

export type ProxyContainerInit = {
  /** Flags of `docker create`, before the image. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** More networks than the one in `flags`. */
  readonly networks?: readonly string[];
};

let counter = 0;

/** Mounts the engine's own socket, as the compose file of the original does. */
export function socketMount(): readonly string[] {
  return ["--volume", `${socketPath()}:/var/run/docker.sock:ro`];
}

export function socketPath(): string {
  const host = process.env["DOCKER_HOST"] || "unix:///var/run/docker.sock";
  const path = /^unix:\/\/(.+)$/.exec(host)?.[1];
  if (path === undefined) throw new Error(`Cannot mount ${host}: not a unix socket`);
  return path;
}

/** Starts a container, and waits until it listens. Use it with `await using`. */
export async function startProxyContainer(init: ProxyContainerInit = {}): Promise<ProxyContainer> {
  const { flags = socketMount(), env = {}, networks = [] } = init;
  counter += 1;
  const name = `lw-inference-proxy-test-proxy-${process.pid}-${counter}`;
  const variables = Object.entries(env).flatMap(([key, value]) => ["--env", `${key}=${value}`]);
  await dockerCli("create", "--name", name, ...variables, ...flags, PROXY_IMAGE);
  for (const network of networks) await dockerCli("network", "connect", network, name);
  await dockerCli("start", name);
  const container = containerNamed(name);
  await until(
    `${name} listens`,
    async () => (await container.log()).includes('"listening"'),
    10_000,
  );
  return container;
}

function containerNamed(name: string): ProxyContainer {
  const inspect = async (format: string): Promise<string> =>
    (await dockerCli("inspect", "--format", format, name)).trim();
  return {
    name,
    inspect,
    log: () => dockerCli("logs", name),
    origin: async () => {
      const addresses = await inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}");
      return `http://${addresses.split(" ")[0]}:8080`;
    },
    processStatus: async (field) => {
      const status = readFileSync(`/proc/${await inspect("{{.State.Pid}}")}/status`, "utf8");
      const line = status.split("\n").find((text) => text.startsWith(`${field}:`)) ?? "";
      return line
        .split(/\s+/)
        .slice(1)
        .filter((word) => word !== "");
    },
    [Symbol.asyncDispose]: async () => {
      await dockerCli("rm", "--force", "--volumes", name);
    },
  };
}

async function run(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const child = Bun.spawn([...command], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) === 0) return output;
  throw new Error(`Cannot run "${command.join(" ")}": ${output.slice(-2_000)}${errors}`);
}
