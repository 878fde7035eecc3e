/**
 * What must hold before anything starts. Bun reads its cap on simultaneous fetches (256) once, from the
 * environment of the process, and every streaming answer takes a place until it ends. So the process replaces
 * itself once: with the cap lifted, and as another user if root should not stay root. Process number,
 * arguments, standard input and signals stay the same. How to give up root is decided in privileges.ts.
 */
import type { Environment } from "../ground/environment.ts";
import { type Node, planDrop, type User } from "./privileges.ts";

const CAP = "BUN_CONFIG_MAX_HTTP_REQUESTS";
/** Bun ignores a larger number and takes 256. */
const CAP_MAX = 65_535;

/**
 * How often a function runs before JavaScriptCore compiles it. By default 500: then it also compiles what runs
 * only while the proxy starts, which takes 5 ms and 2.7 MiB (measured, 1.4.5). With 2,000, the rest is compiled
 * about a second after requests come.
 */
const WARM_UP = { BUN_JSC_thresholdForJITAfterWarmUp: "2000" } as const;

/**
 * For how long the allocator keeps memory that is free before the kernel gets it back, in ms. Sooner, and each large
 * body takes fresh pages: up to a fifth of its CPU time. An idle proxy gives all back as before (measured, 1.4.5).
 */
const KEPT_FREE = { MIMALLOC_PURGE_DELAY: "1000" } as const;

/** May be set otherwise. */
const DEFAULTS = { ...WARM_UP, ...KEPT_FREE } as const;

export type Launch = {
  /** The user to become if this is root. */
  readonly user: User | undefined;
  /** Path of the engine's socket, which that user must be able to use; undefined if there is none. */
  readonly socket: string | undefined;
};

/**
 * Returns if the process is as it must be. Otherwise the process starts again and this does not return.
 *
 * @returns the reason why it is still root although it should be `user`
 * @throws if another user may not run this binary
 */
export function relaunchIfNeeded(launch: Launch): string | undefined {
  const { dropped, reason } = dropPrivileges(launch);
  const env = launchEnvironment(process.env);
  if (env === undefined && !dropped) return reason;
  // A new user starts again even with the right environment: the memory holds what root has read.
  process.execve?.(
    process.execPath,
    [process.execPath, ...launchArguments()],
    env ?? { ...DEFAULTS, ...defined(process.env) },
  );
  return reason;
}

/** @returns the environment to start again with; undefined if this one will do */
export function launchEnvironment(env: Environment): Record<string, string> | undefined {
  const cap = env[CAP] ?? "";
  // Digits only and in range. This accepts what it returns below, so the process starts again only once.
  if (/^\d{1,5}$/.test(cap) && Number(cap) >= 1 && Number(cap) <= CAP_MAX) return undefined;
  return { ...DEFAULTS, ...defined(env), [CAP]: String(CAP_MAX) };
}

function defined(env: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** Whether the process is another user's now; the reason, if it stayed root although it should not. */
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
    // The container has cap_drop: ALL, or the user namespace lacks a group. Root stays, with the same rights.
    return { dropped: false, reason: "the process may not change its user" };
  }
}

function nodesOf(socket: string): readonly Node[] | undefined {
  // Loaded here, because a process that keeps its user needs neither.
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

/** A compiled binary has its script inside: argv[1] names a place there, and is no argument. */
function launchArguments(): readonly string[] {
  const compiled = Bun.main.startsWith("/$bunfs/");
  return compiled ? process.argv.slice(2) : [...process.execArgv, ...process.argv.slice(1)];
}
