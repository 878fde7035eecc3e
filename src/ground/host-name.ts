/** Normalizes a host name for comparison. Does no DNS lookup. Pure. */

/** RFC 1123 §2.1, plus underscores, which container names can have. */
const NAME = /^[a-z\d_-]{1,63}(?:\.[a-z\d_-]{1,63})*\.?$/;
const LENGTH_MAX = 254;

/**
 * Lowercases the name and removes the dot at the end. A name of one part keeps its dot, because the dot changes
 * its meaning: `ai.` is a domain of the internet, `ai` is a host of the local network.
 *
 * @returns undefined if the text is not a host name, for example because it has a scheme or a port
 */
export function hostName(text: string): string | undefined {
  const name = text.toLowerCase();
  if (name.length > LENGTH_MAX || !NAME.test(name)) return undefined;
  return /\..*\.$/.test(name) ? name.slice(0, -1) : name;
}
