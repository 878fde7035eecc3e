/** Finds in a path that the client's base URL is mistyped, and says how. Pure. */
import { lacksPrefix, PUBLIC_PREFIX } from "../../ground/paths.ts";

/** @returns the mistake in words; undefined if there is none that we know */
export function baseUrlMistake(path: string): string | undefined {
  if (path.startsWith(`${PUBLIC_PREFIX}/`)) {
    if (path.startsWith(`${PUBLIC_PREFIX}//`)) return TWO_SLASHES;
    return path === TWICE || path.startsWith(`${TWICE}/`) ? PREFIX_TWICE : undefined;
  }
  if (path.startsWith("//")) return TWO_SLASHES;
  return lacksPrefix(path)
    ? `the base URL lacks ${PUBLIC_PREFIX}; put ${PUBLIC_PREFIX} at its end`
    : undefined;
}

const TWO_SLASHES = "the path has two slashes in a row; drop the slash at the end of the base URL";
const PREFIX_TWICE = `the base URL ends in ${PUBLIC_PREFIX} already, and the client adds ${PUBLIC_PREFIX} itself; drop it from the base URL`;
const TWICE = `${PUBLIC_PREFIX}${PUBLIC_PREFIX}`;
