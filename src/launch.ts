/**
 * What must hold before anything starts. Bun reads its cap on simultaneous fetches (256) once, from
 * the environment of the process, and every streaming answer holds a place until it ends. So the
 * process replaces itself, once, with the cap lifted: same pid, arguments, stdin and signals.
 */

const CAP = "BUN_CONFIG_MAX_HTTP_REQUESTS";
/** Bun ignores anything above, and is back at 256 then. */
const CAP_MAX = 65_535;

type Environment = Readonly<Record<string, string | undefined>>;

/** Returns if the process is as it must be; else does not return. */
export function relaunchIfNeeded(): void {
  const env = launchEnvironment(process.env);
  if (env === undefined || process.execve === undefined) return;
  process.execve(process.execPath, [process.execPath, ...launchArguments()], env);
}

/** @returns the environment to start again with, or undefined if this one will do */
export function launchEnvironment(env: Environment): Record<string, string> | undefined {
  const cap = env[CAP] ?? "";
  // Digits only and in range: what this returns is never asked for again, so there is no loop.
  if (/^\d{1,5}$/.test(cap) && Number(cap) >= 1 && Number(cap) <= CAP_MAX) return undefined;
  const defined = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return { ...Object.fromEntries(defined), [CAP]: String(CAP_MAX) };
}

/** A compiled binary carries its script: argv[1] names a place inside it. */
function launchArguments(): readonly string[] {
  const compiled = Bun.main.startsWith("/$bunfs/");
  return compiled ? process.argv.slice(2) : [...process.execArgv, ...process.argv.slice(1)];
}
