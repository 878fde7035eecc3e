/**
 * Runs the command of its arguments in a network of its own, where only loopback is: the programs of these tests call home
 * in many ways, and each new version may have one more. Where the kernel refuses that, it says so and runs the command
 * with all networks; the programs are then asked to keep quiet by their own settings.
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
if (!isAlone) process.stderr.write("No network of its own here: the clients may call home.\n");
process.exit(
  isAlone ? await run([...ALONE, ...command], { LOOPBACK_ONLY: "true" }) : await run(command, {}),
);

function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const stdio = ["ignore", "inherit", "inherit"] as const;
  return Bun.spawn([...args], { env: { ...process.env, ...env }, stdio: [...stdio] }).exited;
}
