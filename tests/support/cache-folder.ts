/** Where tests keep large things that they have downloaded or made: outside of the repository, and not for good. */
import { homedir } from "node:os";
import { join } from "node:path";

/** @returns a path. What lies there may be removed at any time */
export function cacheFolder(name: string): string {
  const caches = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(caches, "lw-inference-proxy", name);
}
