/**
 * Explains why the proxy can't reach the engine at its unix socket, and what to do. It looks at the
 * file at that path only: it opens no connection, and does not know the engine's answers.
 */
import type { Stats } from "node:fs";

const WRITE_GROUP = 0o020;
const WRITE_ALL = 0o002;

/**
 * @param code the error code of the failed connection
 * @returns undefined if the error has nothing to do with the file
 */
export function explainSocket(path: string, code: string): string | undefined {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return `no such socket; start the engine, set DOCKER_HOST to its socket, or, if the proxy runs in a container, mount the socket there (${mount(path, path)})`;
    case "EACCES":
    case "EPERM":
      return `permission denied; ${permission(path)}`;
    case "ECONNREFUSED":
      return refusedAt(path);
    default:
      return undefined;
  }
}

/**
 * Advice for a socket that has refused connections for longer than any engine takes to start. A
 * mounted socket stays the old file, even when the engine makes a new socket at the same path.
 */
export function explainStaleSocket(path: string): string | undefined {
  if (!statOf(path)?.isSocket()) return undefined;
  const directory = dirname(path);
  return `if the engine runs and the proxy runs in a container, the engine has made a new socket since that container started: restart the proxy, or mount the socket's directory instead of the socket (${mount(directory, "/host/run")}, and DOCKER_HOST=unix:///host/run/${path.slice(path.lastIndexOf("/") + 1)})`;
}

/** A directory and a plain file refuse connections, too. */
function refusedAt(path: string): string {
  const stats = statOf(path);
  if (stats?.isDirectory()) {
    return `it is a directory, which Docker makes when the path to mount does not exist on the host; recreate the container with the path of the engine's socket on the host (${mount("/host/path/docker.sock", path)})`;
  }
  if (stats !== undefined && !stats.isSocket()) {
    return "it is a file and not a socket; set DOCKER_HOST to the engine's socket";
  }
  return "connection refused; is the engine running?";
}

function permission(path: string): string {
  const stats = statOf(path);
  if (stats === undefined) return closedDirectory(path);
  const { gid, uid, mode } = stats;
  const isMember = process.getgid?.() === gid || process.getgroups?.().includes(gid) === true;
  if ((mode & WRITE_ALL) !== 0 || ((mode & WRITE_GROUP) !== 0 && isMember)) {
    return "the file's mode allows it, so a security module forbids it (SELinux: docker run --security-opt label=disable)";
  }
  if ((mode & WRITE_GROUP) === 0) {
    return `only user ${uid} may use the socket; run the proxy as that user (docker run --user ${uid}; in Compose user: "${uid}")`;
  }
  return `add the proxy to group ${gid}, which owns the socket (docker run --group-add ${gid}; in Compose group_add: ["${gid}"])`;
}

/** Finds the directory that we may not enter: the innermost directory that we can still stat. */
function closedDirectory(path: string): string {
  let directory = dirname(path);
  let stats = statOf(directory);
  while (stats === undefined && directory !== "/") {
    directory = dirname(directory);
    stats = statOf(directory);
  }
  return `the proxy's user may not enter ${directory}, which belongs to user ${stats?.uid}; run the proxy as that user (docker run --user ${stats?.uid}; in Compose user: "${stats?.uid}")`;
}

// The functions below load 5 MiB of Bun's modules. They load them at the first failure only, because
// nothing needs them before.

function dirname(path: string): string {
  return process.getBuiltinModule("node:path").dirname(path);
}

function statOf(path: string): Stats | undefined {
  try {
    return process.getBuiltinModule("node:fs").statSync(path);
  } catch {
    return undefined;
  }
}

function mount(from: string, to: string): string {
  return `docker run -v ${from}:${to}; in Compose volumes: ["${from}:${to}"]`;
}
