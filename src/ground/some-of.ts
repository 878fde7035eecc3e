/** Shortens lists and texts from outside so that they fit into a log line. Pure. */

const SHOWN_MAX = 10;
const SHOWN_LENGTH_MAX = 100;

/** Returns the first ten texts, each cut to 100 characters. */
export function someOf(texts: readonly string[]): readonly string[] {
  return texts.slice(0, SHOWN_MAX).map((text) => cut(text, SHOWN_LENGTH_MAX));
}

/**
 * In words: `a, b and 3 more`.
 *
 * @param count the total number, including the texts
 */
export function andMore(texts: readonly string[], count: number): string {
  const more = count - texts.length;
  return `${texts.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** @param lengthMax how many characters of the text to keep; `…` marks a cut */
export function cut(text: string, lengthMax: number): string {
  return text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
}
