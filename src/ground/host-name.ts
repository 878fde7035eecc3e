/** A host's name as it is compared. Pure. */

/** RFC 1123 §2.1, and underscores, which the names of containers have. */
const NAME = /^[a-z\d_-]{1,63}(?:\.[a-z\d_-]{1,63})*\.?$/;
const LENGTH_MAX = 254;

/**
 * In lower case, without the dot that ends a complete name. A name of one part keeps it: `ai.` is a domain
 * of the internet, while `ai` is looked up at home.
 *
 * @returns undefined if it is no name: one has neither a scheme nor a port
 */
export function hostName(text: string): string | undefined {
  const name = text.toLowerCase();
  if (name.length > LENGTH_MAX || !NAME.test(name)) return undefined;
  return /\..*\.$/.test(name) ? name.slice(0, -1) : name;
}
