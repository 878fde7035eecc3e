/** Programs of Debian that a test needs beside the engine. */

/**
 * Sees to it that a program is there: with TEST_ENGINE=install it is installed (as root, on Debian).
 *
 * @returns why it is not there, if it is not
 */
export async function provide(
  program: string,
  ...packages: readonly string[]
): Promise<string | undefined> {
  if (Bun.which(program) !== null) return undefined;
  if (process.env["TEST_ENGINE"] !== "install") {
    return `${program} is not installed; TEST_ENGINE=install has it installed (as root, on Debian)`;
  }
  process.stderr.write(`Installing Debian's ${packages.join(", ")} …\n`);
  const install = ["install", "-y", "-qq", "--no-install-recommends", ...packages];
  const installed = (await aptGet("update", "-qq")) && (await aptGet(...install));
  return installed && Bun.which(program) !== null ? undefined : `${program} can't be installed`;
}

async function aptGet(...args: readonly string[]): Promise<boolean> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const child = Bun.spawn(["apt-get", ...args], { env, stdio: ["ignore", "ignore", "inherit"] });
  return (await child.exited) === 0;
}
