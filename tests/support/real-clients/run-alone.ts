/**
 * Runs the command in its arguments in a new network namespace with only loopback: the programs of these
 * tests contact their makers in many ways, and each new version may add one. If the kernel refuses the
 * namespace, it says so, and runs the command with all networks. The programs' own settings then ask them to
 * send nothing.
 */
const command = process.argv.slice(2);
const isRoot = process.getuid?.() === 0;
const ALONE = [
  "unshare",
  "--net",
  ...(isRoot ? [] : ["--map-root-user"]),
  ...["sh", "-c", 'ip link set lo up && exec "$@"', "sh"],
];

const isAlone = Bun.which("unshare") !== null && (await run([...ALONE, "true"], {})) === 0;
if (!isAlone)
  process.stderr.write("Cannot make a network namespace: the clients may contact their makers.\n");
process.exit(
  isAlone ? await run([...ALONE, ...command], { LOOPBACK_ONLY: "true" }) : await run(command, {}),
);

function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const stdio = ["ignore", "inherit", "inherit"] as const;
  return Bun.spawn([...args], { env: { ...process.env, ...env }, stdio: [...stdio] }).exited;
}
