/**
 * Fits as many entries and list items as possible into a limited number of bytes of printable JSON. Does not know
 * their fields. Pure.
 */
import { printable } from "../../ground/printable.ts";

/** Every entry has more bytes than this, without its texts. */
export const ENTRY_BYTES_MIN = 60;

/** The longest text, in characters, in the shortest form of an entry. */
export const SHORT_LENGTH = 200;

export function textOf(value: unknown): string {
  return printable(JSON.stringify(value));
}

export function bytesOf(value: unknown): number {
  return Buffer.byteLength(textOf(value));
}

export class Room {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get left(): number {
    return this.#left;
  }

  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }
}

/** A whole entry, and the part that the answer shows. */
export type Draft<Entry> = {
  readonly whole: Entry;
  readonly shown: { -readonly [Key in keyof Entry]: Entry[Key] };
};

/** The entries of one kind that fit, the most important first. */
export class Kept<Entry extends object> {
  readonly drafts: Draft<Entry>[] = [];
  readonly #entries: readonly Entry[];
  readonly #short: (entry: Entry) => Entry;

  /** @param entries the most important first */
  constructor(entries: readonly Entry[], short: (entry: Entry) => Entry) {
    this.#entries = entries;
    this.#short = short;
  }

  get leftOut(): number {
    return this.#entries.length - this.drafts.length;
  }

  /** Adds entries until one does not fit. */
  fill(room: Room, bytesMax: number): void {
    const share = new Room(bytesMax);
    for (const whole of this.#entries.slice(this.drafts.length)) {
      const shown = { ...this.#short(whole) };
      const bytes = bytesOf(shown) + 1; // a comma
      if (bytes > room.left || !share.take(bytes)) return;
      room.take(bytes);
      this.drafts.push({ whole, shown });
    }
  }
}

/** @returns the shown entries in the order of the whole list */
export function inOrder<Entry>(
  entries: readonly Entry[],
  drafts: readonly Draft<Entry>[],
): readonly Entry[] {
  const shown = new Map(drafts.map((draft) => [draft.whole, draft.shown]));
  return entries.flatMap((entry) => shown.get(entry) ?? []);
}

export type List = {
  readonly whole: readonly unknown[];
  /** How many items are shown so far. */
  readonly count: number;
  /** Shows this many items. */
  readonly show: (count: number) => void;
};

/** Each list gets an equal part of the room that is left. */
export function lengthenLists(all: readonly List[], room: Room): void {
  const lists = all.filter(({ whole, count }) => count < whole.length);
  for (const [index, { whole, count, show }] of lists.entries()) {
    const share = new Room(Math.floor(room.left / (lists.length - index)));
    const { left } = share;
    const rest = whole.slice(count, count + left); // each item takes at least one byte
    const end = rest.findIndex((item) => !share.take(bytesOf(item) + 1));
    room.take(left - share.left);
    show(count + (end === -1 ? rest.length : end));
  }
}
