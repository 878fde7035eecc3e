/** Text from outside → text that can't steer the terminal it is shown on, nor break a line of a log. Pure. */

/** C0, DEL and C1 controls, and what breaks lines or turns text around. */
const STEERING = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

/** Each such character as `\uXXXX`: in a JSON text that is the same string, written otherwise. */
export function printable(text: string): string {
  return text.replace(
    STEERING,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Each such character as `?`: where the width counts. */
export function printableInTable(text: string): string {
  return text.replace(STEERING, "?");
}

/**
 * In quotes, as JSON has it, and printable: the way to name in a message what somebody has sent.
 *
 * @param lengthMax UTF-16 code units that are shown; `…` stands for the rest
 */
export function quoted(text: string, lengthMax: number): string {
  return printable(JSON.stringify(text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text));
}

/**
 * For Prometheus' text format, whose escapes in a label's value are `\\`, `\"` and `\n` alone: each such
 * character as `\\uXXXX`, which is read as text. Line feeds are the format's own and stay.
 */
export function printableInMetrics(text: string): string {
  return text.replace(STEERING, (control) =>
    control === "\n" ? control : `\\${printable(control)}`,
  );
}
