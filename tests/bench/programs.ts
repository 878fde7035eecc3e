/** The other programs that are measured or measure: their paths, versions and packages. */

/** The Debian package of each program. */
const PACKAGES = {
  nginx: "nginx",
  caddy: "caddy",
  haproxy: "haproxy",
  go: "golang-go",
  wrk: "wrk",
} as const;

export type Program = keyof typeof PACKAGES;

export const PROGRAMS = Object.keys(PACKAGES) as readonly Program[];

const VERSION_COMMANDS: Readonly<Record<Program, readonly string[]>> = {
  nginx: ["nginx", "-v"],
  caddy: ["caddy", "version"],
  haproxy: ["haproxy", "-v"],
  go: ["go", "version"],
  wrk: ["wrk", "-v"],
};

/** Debian installs some of them where only root's PATH leads. */
const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin`;

export function find(program: Program): string | undefined {
  return Bun.which(program, { PATH }) ?? undefined;
}

export function missing(): readonly Program[] {
  return PROGRAMS.filter((program) => find(program) === undefined);
}

/** Installs the missing programs. Stops their services at once if Debian's scripts start them. */
export function install(): void {
  const packages = missing().map((program) => PACKAGES[program]);
  if (packages.length === 0) return;
  // RUNLEVEL=1 (single user): invoke-rc.d(8) then starts no service.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const command = ["apt-get", "install", "--yes", "--no-install-recommends", ...packages];
  const { exitCode } = Bun.spawnSync(command, { env, stdio: ["ignore", "inherit", "inherit"] });
  if (exitCode !== 0)
    throw new Error(`Cannot install ${packages.join(", ")}: apt-get exited ${exitCode}`);
}

/** The version that the program prints. Some print it to stderr, and wrk exits with 1. */
export function versionOf(program: Program): string | undefined {
  const path = find(program);
  if (path === undefined) return undefined;
  const [, ...args] = VERSION_COMMANDS[program];
  const { stdout, stderr } = Bun.spawnSync([path, ...args]);
  return /v?(\d+\.\d+\.\d+)/.exec(`${stdout}${stderr}`)?.[1];
}
