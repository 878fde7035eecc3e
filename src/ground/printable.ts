/**
 * Makes text from outside safe to print: it cannot control a terminal and cannot break a log line. Pure.
 */

/** Control characters (C0, DEL, C1), characters that change the text direction, and line separators. */
const STEERING = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

/** Writes each unsafe character as `\uXXXX`. A JSON text keeps its meaning. */
export function printable(text: string): string {
  return text.replace(
    STEERING,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Replaces each unsafe character with `?`, which is one column wide. */
export function printableInTable(text: string): string {
  return text.replace(STEERING, "?");
}

/**
 * Quotes a text as JSON does and makes it printable. Messages use it to show text that a client or user sent.
 *
 * @param lengthMax how many UTF-16 code units to show; `…` marks a cut
 */
export function quoted(text: string, lengthMax: number): string {
  return printable(JSON.stringify(text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text));
}

/**
 * For the text format of Prometheus. A label value can only have the escapes `\\`, `\"` and `\n`. So each
 * unsafe character becomes `\\uXXXX`, which Prometheus reads as plain text. Line feeds belong to the format
 * and stay.
 */
export function printableInMetrics(text: string): string {
  return text.replace(STEERING, (control) =>
    control === "\n" ? control : `\\${printable(control)}`,
  );
}
