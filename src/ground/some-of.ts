/** What a line of a log takes of things that others may have many of, or long ones. Pure. */

const SHOWN_MAX = 10;
const SHOWN_LENGTH_MAX = 100;

/** The first ten, each cut to 100 characters. */
export function someOf(texts: readonly string[]): readonly string[] {
  return texts.slice(0, SHOWN_MAX).map((text) => cut(text, SHOWN_LENGTH_MAX));
}

/** @param lengthMax characters of the text that are kept; one more says that there was more */
export function cut(text: string, lengthMax: number): string {
  return text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
}
