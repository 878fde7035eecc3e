/** Makes a directory that is removed at the end of its block (`using`). */
import { chmodSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

type TemporaryDirectory = Disposable & { readonly path: string };

export function temporaryDirectory(parent: string = tmpdir()): TemporaryDirectory {
  const path = mkdtempSync(join(parent, "lw-inference-proxy-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** tmpdir() may be below a user's home, like the clone. Then the other two remain. */
const PARENTS = [tmpdir(), "/tmp", "/var/tmp"];

/**
 * A directory that every user can enter, below parents that every user can enter.
 *
 * @throws if none of `parents` is such a directory
 */
export function openDirectory(parents: readonly string[] = PARENTS): TemporaryDirectory {
  const parent = parents.find(isOpenToAll);
  if (parent === undefined)
    throw new Error(`Cannot find a directory for other users: tried ${parents}`);
  const directory = temporaryDirectory(parent);
  chmodSync(directory.path, 0o755);
  return directory;
}

function isOpenToAll(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || (stat.mode & 0o001) === 0) return false;
  return path === dirname(path) || isOpenToAll(dirname(path));
}
