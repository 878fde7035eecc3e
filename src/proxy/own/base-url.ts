/** Detects from the path that the client's base URL is mistyped. Pure. */
import { lacksPrefix, PUBLIC_PREFIX } from "../../ground/paths.ts";

/** @returns the mistake in words; undefined if the path shows no known mistake */
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

const TWO_SLASHES =
  "the path has two slashes in a row; remove the slash at the end of the base URL";
const PREFIX_TWICE = `the base URL ends in ${PUBLIC_PREFIX} already, and the client adds ${PUBLIC_PREFIX} itself; remove it from the base URL`;
const TWICE = `${PUBLIC_PREFIX}${PUBLIC_PREFIX}`;
