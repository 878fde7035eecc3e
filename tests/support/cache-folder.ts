/**
 * The folder for large files that tests download or build. It is outside of the repository, and is only a
 * cache.
 */
import { homedir } from "node:os";
import { join } from "node:path";

/** @returns a path. Its content may be deleted at any time */
export function cacheFolder(name: string): string {
  const caches = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(caches, "lw-inference-proxy", name);
}
