/** A directory that is removed at the end of the block that holds it (`using`). */
import { chmodSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

type TemporaryDirectory = Disposable & { readonly path: string };

export function temporaryDirectory(parent: string = tmpdir()): TemporaryDirectory {
  const path = mkdtempSync(join(parent, "lw-inference-proxy-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** May lie in somebody's own home, as the clone may: then the other two are left. */
const PARENTS = [tmpdir(), "/tmp", "/var/tmp"];

/**
 * One that every user may enter, and whose parents let every user through.
 *
 * @throws if none of `parents` is such a place
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
