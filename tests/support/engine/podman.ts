/**
 * A real Podman for one test. It removes its storage, networks and socket at the end, and touches no other
 * container.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildInferenceImage, type Docker } from "../server/inference-server/image.ts";
import { until } from "../until.ts";

/** The Debian packages for containers as root, without the recommended packages. */
export const PODMAN_PACKAGES = ["podman", "runc", "containernetworking-plugins", "iptables"];

/** CNI's host-local keeps the addresses of each network here, and leaves an empty directory behind. */
const CNI_NETWORKS = "/var/lib/cni/networks";

/** The default limits are higher than a container that runs these tests may have. */
const CONFIG = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
`;

export type Podman = AsyncDisposable & {
  /** Same form as DOCKER_HOST. */
  readonly host: string;
  readonly version: string;
  /** Runs the command-line client and returns its standard output. @throws if the exit code is not 0 */
  readonly cli: Docker;
  /** Starts a labelled container of the stand-in server. Does not wait until it is healthy. */
  readonly startServer: (name: string, env: Readonly<Record<string, string>>) => Promise<void>;
  /** Runs the container's health check once, as systemd's timers would. @returns whether the check succeeded */
  readonly probe: (name: string) => Promise<boolean>;
  /** Ends the process that serves the socket. The containers keep running. */
  readonly stopService: () => Promise<void>;
  readonly startService: () => Promise<void>;
};

export async function startPodman(): Promise<Podman> {
  const directory = mkdtempSync(join(tmpdir(), "lw-test-podman-"));
  const socketPath = join(directory, "podman.sock");
  const network = `lw-test-${process.pid}`;
  const command = commandFor(directory);
  const cli: Docker = (...args) => run(command, args);
  await cli("network", "create", "--disable-dns", network);
  const image = await buildInferenceImage(cli);

  let service: Bun.Subprocess | undefined;
  const startService = async (): Promise<void> => {
    service = spawn(command, ["system", "service", "--time=0", `unix://${socketPath}`]);
    await until("Podman answers", () =>
      fetch("http://podman/_ping", { unix: socketPath, keepalive: false }).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  };
  const stopService = async (): Promise<void> => {
    service?.kill("SIGKILL");
    await service?.exited;
  };
  await startService();
  return {
    host: `unix://${socketPath}`,
    version: (await cli("version", "--format", "{{.Client.Version}}")).trim(),
    cli,
    startServer: async (name, env) => {
      const flags = Object.entries(env).flatMap(([key, value]) => ["--env", `${key}=${value}`]);
      const labels = ["--label", "inference.enable=true"];
      await cli(
        "run",
        "--detach",
        "--name",
        name,
        "--network",
        network,
        ...labels,
        ...flags,
        image,
      );
    },
    probe: (name) =>
      cli("healthcheck", "run", name).then(
        () => true,
        () => false,
      ),
    stopService,
    startService,
    [Symbol.asyncDispose]: async () => {
      await stopService();
      await cli("rm", "--all", "--force", "--time", "0");
      await cli("network", "rm", network);
      rmSync(join(CNI_NETWORKS, network), { recursive: true, force: true });
      await cli("image", "rm", "--all", "--force");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

type Command = { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> };

function commandFor(directory: string): Command {
  const config = join(directory, "containers.conf");
  writeFileSync(config, CONFIG);
  const paths = Object.fromEntries(
    ["root", "runroot", "tmpdir", "network-config-dir"].map((name) => [
      name,
      join(directory, name),
    ]),
  );
  for (const path of Object.values(paths)) mkdirSync(path);
  return {
    args: ["podman", ...Object.entries(paths).flatMap(([name, path]) => [`--${name}`, path])],
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: directory,
      CONTAINERS_CONF: config,
      BUILDAH_FORMAT: "docker", // the OCI format has no HEALTHCHECK
    },
  };
}

function spawn(
  { args, env }: Command,
  more: readonly string[],
): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  return Bun.spawn([...args, ...more], { env, stdio: ["ignore", "pipe", "pipe"] });
}

async function run(command: Command, args: readonly string[]): Promise<string> {
  const child = spawn(command, args);
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) === 0) return output;
  throw new Error(`Cannot run "podman ${args.join(" ")}": ${errors.trim()}`);
}
