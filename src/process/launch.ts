/**
 * Prepares the process before anything else starts. Bun reads its cap on simultaneous fetches (256) once,
 * from the environment of the process, and every streaming answer takes a place until it ends. So the process
 * replaces itself once: with a higher cap, and as another user if it should not stay root. Process number,
 * arguments, standard input and signals stay the same. privileges.ts decides how to give up root.
 */
import type { Environment } from "../ground/environment.ts";
import { type Node, planDrop, type User } from "./privileges.ts";

const CAP = "BUN_CONFIG_MAX_HTTP_REQUESTS";
/** Bun ignores a larger number and takes 256. */
const CAP_MAX = 65_535;

/**
 * How often a function runs before JavaScriptCore compiles it. With the default of 500 it also compiles
 * functions that run only while the proxy starts. That takes 5 ms and 2.7 MiB (measured, 1.4.5). With 2,000
 * it compiles the other functions about a second after the first requests.
 */
const WARM_UP = { BUN_JSC_thresholdForJITAfterWarmUp: "2000" } as const;

/**
 * How long the allocator keeps free memory before it returns it to the kernel, ms. With a shorter time each
 * large body needs new pages, which costs up to a fifth of its CPU time. An idle proxy still returns all of
 * it (measured, 1.4.5).
 */
const KEPT_FREE = { MIMALLOC_PURGE_DELAY: "1000" } as const;

/** The environment can override these. */
const DEFAULTS = { ...WARM_UP, ...KEPT_FREE } as const;

export type Launch = {
  /** The user to become if this is root. */
  readonly user: User | undefined;
  /** Path of the engine's socket. The user must be able to use it. Undefined if there is no socket. */
  readonly socket: string | undefined;
};

/**
 * Returns if the process is already set up correctly. Otherwise it replaces the process and does not return.
 *
 * @returns the reason why the process is still root although it should be `user`
 * @throws if the other user is not allowed to run this binary
 */
export function relaunchIfNeeded(launch: Launch): string | undefined {
  const { dropped, reason } = dropPrivileges(launch);
  const env = launchEnvironment(process.env);
  if (env === undefined && !dropped) return reason;
  // A new user needs a new process even with the right environment: the memory holds data that root has read.
  process.execve?.(
    process.execPath,
    [process.execPath, ...launchArguments()],
    env ?? { ...DEFAULTS, ...defined(process.env) },
  );
  return reason;
}

/** @returns the environment for the new process; undefined if this environment is right */
export function launchEnvironment(env: Environment): Record<string, string> | undefined {
  const cap = env[CAP] ?? "";
  // Only digits, and in range. This accepts the value that it sets below, so the process restarts only once.
  if (/^\d{1,5}$/.test(cap) && Number(cap) >= 1 && Number(cap) <= CAP_MAX) return undefined;
  return { ...DEFAULTS, ...defined(env), [CAP]: String(CAP_MAX) };
}

function defined(env: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** Whether the process runs as the other user now. `reason` says why it stayed root although it should not. */
type DropResult = { readonly dropped: boolean; readonly reason?: string };

function dropPrivileges({ user, socket }: Launch): DropResult {
  if (user === undefined || process.getuid?.() !== 0 || user.uid === 0) return { dropped: false };
  const nodes = socket === undefined ? [] : nodesOf(socket);
  const plan = planDrop(user, nodes, process.getgroups?.() ?? []);
  if (plan.kind === "keep") return { dropped: false, ...plan };
  try {
    process.setgroups?.([...plan.groups]);
    process.setgid?.(user.gid);
    process.setuid?.(user.uid);
    return { dropped: true };
  } catch {
    // The container has cap_drop: ALL, or the user namespace lacks a group. The process stays root, with its
    // rights.
    return { dropped: false, reason: "the process is not allowed to change its user" };
  }
}

function nodesOf(socket: string): readonly Node[] | undefined {
  // Loaded here, because a process that keeps its user does not need these modules.
  const { dirname } = process.getBuiltinModule("node:path");
  const { statSync } = process.getBuiltinModule("node:fs");
  const paths = [socket];
  for (let path = dirname(socket); ; path = dirname(path)) {
    paths.unshift(path);
    if (path === dirname(path)) break;
  }
  try {
    return paths.map((path) => statSync(path));
  } catch {
    return undefined;
  }
}

/** A compiled binary contains its script: argv[1] names a place inside the binary and is not an argument. */
function launchArguments(): readonly string[] {
  const compiled = Bun.main.startsWith("/$bunfs/");
  return compiled ? process.argv.slice(2) : [...process.execArgv, ...process.argv.slice(1)];
}
