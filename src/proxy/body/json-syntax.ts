/** The bytes of JSON's syntax, and their kinds (RFC 8259 §2). Pure. */

export const QUOTE = 0x22;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;
export const COLON = 0x3a;
export const COMMA = 0x2c;
/** Of all valid values, only `null` begins with this byte. */
export const FIRST_OF_NULL = 0x6e;
/** Of all valid values, only `false` begins with this byte. */
export const FIRST_OF_FALSE = 0x66;
/** A byte order mark in UTF-8. */
export const BOM = [0xef, 0xbb, 0xbf];
/** `[`, the lowest of the four bracket bytes. */
export const FIRST_BRACKET = 0x5b;
/** The one bit in which `[` and `]` differ from `{` and `}`. */
const BRACE_BIT = 0x20;

export function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

export function isScalar(byte: number): boolean {
  if (isSpace(byte) || opens(byte) || closes(byte)) return false;
  return byte !== QUOTE && byte !== COLON && byte !== COMMA;
}

export function opens(byte: number): boolean {
  return (byte | BRACE_BIT) === OPEN_BRACE;
}

export function closes(byte: number): boolean {
  return (byte | BRACE_BIT) === CLOSE_BRACE;
}

/** @returns the change in nesting depth: 1, -1 or 0 */
export function levelsOf(byte: number): number {
  if (opens(byte)) return 1;
  return closes(byte) ? -1 : 0;
}

/** @returns the position of the first byte that is not of the kind, or the piece's length */
export function endOf(
  isOfKind: (byte: number) => boolean,
  piece: Uint8Array,
  start: number,
): number {
  let at = start;
  while (at < piece.length && isOfKind(piece[at] ?? 0)) at += 1;
  return at;
}
