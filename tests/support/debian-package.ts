/** Installs the programs of Debian that a test needs. Installing the engine: see engine/find.ts. */

/**
 * Makes sure that a program is there. Installs it only if TEST_ENGINE=install (as root, on Debian).
 *
 * @returns undefined if it is there, else why not
 */
export async function provide(
  program: string,
  ...packages: readonly string[]
): Promise<string | undefined> {
  if (Bun.which(program) !== null) return undefined;
  if (process.env["TEST_ENGINE"] !== "install") {
    return `${program} is not installed; TEST_ENGINE=install has it installed (as root, on Debian)`;
  }
  await installPackages(packages);
  return Bun.which(program) === null
    ? `${packages.join(", ")} did not bring ${program}`
    : undefined;
}

/** Installs packages, as root, on Debian. Starts none of them as a service. */
export async function installPackages(packages: readonly string[]): Promise<void> {
  process.stderr.write(`Installing Debian's ${packages.join(", ")} …\n`);
  await aptGet("update", "-qq");
  await aptGet("install", "-y", "-qq", "--no-install-recommends", ...packages);
}

async function aptGet(...args: readonly string[]): Promise<void> {
  const child = Bun.spawn(["apt-get", ...args], {
    // invoke-rc.d starts nothing in single-user mode.
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  if ((await child.exited) !== 0) throw new Error(`Cannot run "apt-get ${args.join(" ")}"`);
}
