/** A host's name in the one form in which names are compared. Looks nothing up. Pure. */

/** RFC 1123 §2.1, and underscores: containers' names have them. */
const NAME = /^[a-z\d_-]{1,63}(?:\.[a-z\d_-]{1,63})*\.?$/;
const LENGTH_MAX = 254;

/**
 * Puts the name in lower case and cuts off the dot at its end. A name of one part keeps its dot, because
 * it means something else without: `ai.` is a domain of the internet, `ai` a host of the local network.
 *
 * @returns undefined if the text is no name. A name has neither scheme nor port.
 */
export function hostName(text: string): string | undefined {
  const name = text.toLowerCase();
  if (name.length > LENGTH_MAX || !NAME.test(name)) return undefined;
  return /\..*\.$/.test(name) ? name.slice(0, -1) : name;
}
