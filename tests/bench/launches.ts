/** How each proxy starts: its command, its configuration, and what must be built first. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/proxy/compiled.ts";
import { find, type Program } from "./programs.ts";
import { BUN, CADDY, GO, HAPROXY, type Launch, NGINX, type Upstream } from "./targets.ts";

type Place = { readonly listen: number; readonly upstream: number; readonly directory: string };

type Other = {
  readonly program: Exclude<Program, "wrk">;
  readonly isSilent: boolean;
  readonly isFor: Launch["isFor"];
  /**
   * Puts the needed files into the directory.
   *
   * @param path the program's path
   * @returns the command that starts the program
   */
  readonly prepare: (path: string, place: Place) => readonly string[];
};

/** One file of this directory, and the arguments after the program's path. */
function configured(
  template: string,
  args: (configuration: string) => readonly string[],
): Omit<Other, "program"> {
  const prepare: Other["prepare"] = (path, place) => {
    const values: Readonly<Record<string, string | number>> = place;
    const text = readFileSync(join(import.meta.dir, template), "utf8");
    const configuration = join(place.directory, template);
    writeFileSync(
      configuration,
      text.replace(/@(\w+)@/g, (_, name: string) => `${values[name]}`),
    );
    return [path, ...args(configuration)];
  };
  return { isSilent: false, isFor: () => true, prepare };
}

const OTHERS: readonly Other[] = [
  { program: NGINX, ...configured("nginx.conf", (file) => ["-c", file]) },
  {
    program: CADDY,
    ...configured("Caddyfile", (file) => ["run", "--adapter", "caddyfile", "--config", file]),
  },
  { program: HAPROXY, ...configured("haproxy.cfg", (file) => ["-db", "-f", file]) },
  {
    program: GO,
    isSilent: true,
    // It would keep the gigabyte in memory, and collect no garbage in the following rows.
    isFor: (workload) => workload !== "upload",
    prepare: (path, { listen, upstream, directory }) => [
      buildGo(path, directory),
      String(listen),
      String(upstream),
    ],
  },
];

/** All installed programs, and the smallest proxy on Bun. */
export function launchesOfOthers(
  upstream: Upstream,
  directory: string,
  without: readonly string[],
): readonly Launch[] {
  return [
    ...OTHERS.filter(({ program }) => !without.includes(program)).flatMap(
      (other) => launchOfOther(other, upstream, directory) ?? [],
    ),
    ...(without.includes(BUN) ? [] : [launchOfReference(upstream, directory)]),
  ];
}

/** @returns undefined if the program is not installed */
function launchOfOther(
  { program, isSilent, isFor, prepare }: Other,
  upstream: Upstream,
  directory: string,
): Launch | undefined {
  const path = find(program);
  if (path === undefined) return undefined;
  const own = join(directory, program);
  mkdirSync(own, { mode: 0o755 });
  const port = freePort();
  const command = prepare(path, { listen: port, upstream: upstream.port, directory: own });
  // Caddy keeps its state below HOME.
  const env = { HOME: own, XDG_DATA_HOME: own, XDG_CONFIG_HOME: own };
  return { name: program, command, port, directory: own, env, isSilent, isFor };
}

/** It lets 256 requests wait for answers and takes bodies of 128 MiB, so it does not suit all workloads. */
function launchOfReference(upstream: Upstream, directory: string): Launch {
  const port = freePort();
  return {
    name: BUN,
    command: [process.execPath, join(import.meta.dir, "reference-proxy.ts"), String(port)],
    port,
    directory,
    env: { UPSTREAM: `http://127.0.0.1:${upstream.port}` },
    isSilent: true,
    isFor: (workload) => ["json-1", "json-32", "flood"].includes(workload),
  };
}

/** Our compiled binary, which follows the engine at `socketPath`. */
export function launchOfOurs(
  binary: { readonly name: string; readonly path: string },
  socketPath: string,
  directory: string,
): Launch {
  const port = freePort();
  const env = { PROXY_PORT: String(port), DOCKER_HOST: `unix://${socketPath}` };
  return {
    ...{ name: binary.name, command: [binary.path], port, directory, env },
    ...{ isSilent: true, isFor: () => true },
  };
}

/**
 * Builds it with only Go's standard library: no module, no network, no C.
 *
 * @returns the program's path
 * @throws if the compiler fails; it prints the reason to stderr
 */
function buildGo(compiler: string, directory: string): string {
  const built = join(directory, "reverse-proxy");
  const source = join(import.meta.dir, "reverse-proxy.go");
  const { exitCode } = Bun.spawnSync([compiler, "build", "-o", built, source], {
    cwd: directory, // so that the compiler finds no other go.mod or go.work
    env: {
      PATH: process.env["PATH"] ?? "",
      GOCACHE: join(directory, "cache"),
      GOPATH: join(directory, "path"),
      GOENV: "off",
      GO111MODULE: "off",
      GOPROXY: "off",
      GOTOOLCHAIN: "local",
      CGO_ENABLED: "0",
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (exitCode !== 0) throw new Error(`Cannot build ${source}: ${compiler} exited ${exitCode}`);
  return built;
}
