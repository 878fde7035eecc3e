/** Joins texts from several places into sentences that a person can read in one go. */

/** Returns the text with a full stop at its end, unless a mark is there. Another sentence can follow. */
export function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
