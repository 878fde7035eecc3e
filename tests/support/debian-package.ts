/** Installs Debian programs that a test needs. For the installation of the engine see engine/find.ts. */

/**
 * Makes sure that a program is installed. Installs it only with TEST_ENGINE=install (as root, on Debian).
 *
 * @returns undefined if the program is there, otherwise the reason
 */
export async function provide(
  program: string,
  ...packages: readonly string[]
): Promise<string | undefined> {
  if (Bun.which(program) !== null) return undefined;
  if (process.env["TEST_ENGINE"] !== "install") {
    return `${program} is not installed; TEST_ENGINE=install installs it (as root, on Debian)`;
  }
  await installPackages(packages);
  return Bun.which(program) === null
    ? `${packages.join(", ")} did not install ${program}`
    : undefined;
}

/** Installs packages, as root, on Debian. Does not start their services. */
export async function installPackages(packages: readonly string[]): Promise<void> {
  process.stderr.write(`Installing Debian's ${packages.join(", ")} …\n`);
  await aptGet("update", "-qq");
  await aptGet("install", "-y", "-qq", "--no-install-recommends", ...packages);
}

async function aptGet(...args: readonly string[]): Promise<void> {
  const child = Bun.spawn(["apt-get", ...args], {
    // invoke-rc.d starts no service in single-user mode.
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  if ((await child.exited) !== 0) throw new Error(`Cannot run "apt-get ${args.join(" ")}"`);
}
