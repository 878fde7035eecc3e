/**
 * Text from outside → text that can't steer a terminal, and can't break a line of a log. Writes nothing. Pure.
 */

/** Control characters (C0, DEL, C1), those that change the direction of text, and line separators. */
const STEERING = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

/** Writes each such character as `\uXXXX`. A JSON text keeps its meaning. */
export function printable(text: string): string {
  return text.replace(
    STEERING,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Writes each such character as `?`, which is as wide as it looks. */
export function printableInTable(text: string): string {
  return text.replace(STEERING, "?");
}

/**
 * Puts a text in quotes, as JSON does, and makes it printable. Messages show with it what somebody sent.
 *
 * @param lengthMax how many UTF-16 code units to show; `…` stands for the rest
 */
export function quoted(text: string, lengthMax: number): string {
  return printable(JSON.stringify(text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text));
}

/**
 * For Prometheus' text format. In the value of a label it knows the escapes `\\`, `\"` and `\n` only, so each
 * such character becomes `\\uXXXX`, which it reads as plain text. Line feeds belong to the format and stay.
 */
export function printableInMetrics(text: string): string {
  return text.replace(STEERING, (control) =>
    control === "\n" ? control : `\\${printable(control)}`,
  );
}
