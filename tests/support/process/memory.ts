/** Searches the memory of a process. Source: proc(5), /proc/<pid>/smaps, mem and pagemap. */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

const PAGE_BYTES = 4096;
const ENTRY_BYTES = 8;
/** Bits 62 and 63 of an entry: the page is in swap, or present. */
const IS_THERE = 0xc0;

/** Whether the text is in memory that the process has written. Mapped files do not count. */
export function hasWritten(pid: number, text: string): boolean {
  const memory = openSync(`/proc/${pid}/mem`, "r");
  const pages = openSync(`/proc/${pid}/pagemap`, "r");
  try {
    return writtenRanges(pid).some((range) => isIn({ memory, pages }, range, text));
  } finally {
    closeSync(memory);
    closeSync(pages);
  }
}

type Files = { readonly memory: number; readonly pages: number };

type Range = { readonly start: number; readonly end: number };

/** The ranges that map no file and contain written pages. */
function writtenRanges(pid: number): readonly Range[] {
  const maps = readFileSync(`/proc/${pid}/smaps`, "utf8");
  const range = /^([\da-f]+)-([\da-f]+) rw..\S* \S+ \S+ 0 .*\n(?:[A-Z]\w+:.*\n)*?Rss: +[1-9]/gm;
  return [...maps.matchAll(range)].map(([, start, end]) => ({
    start: Number.parseInt(start!, 16),
    end: Number.parseInt(end!, 16),
  }));
}

/** Reads only existing pages: reading another page would create it. */
function isIn({ memory, pages }: Files, { start, end }: Range, text: string): boolean {
  const entries = Buffer.alloc(((end - start) / PAGE_BYTES) * ENTRY_BYTES);
  readSync(pages, entries, 0, entries.length, (start / PAGE_BYTES) * ENTRY_BYTES);
  let written = "";
  for (let page = 0; page * ENTRY_BYTES < entries.length; page += 1) {
    const isThere = ((entries[(page + 1) * ENTRY_BYTES - 1] ?? 0) & IS_THERE) !== 0;
    // The text can cross the border of two pages.
    written = isThere
      ? written.slice(-text.length) + readPage(memory, start + page * PAGE_BYTES)
      : "";
    if (written.includes(text)) return true;
  }
  return false;
}

function readPage(memory: number, at: number): string {
  const page = Buffer.alloc(PAGE_BYTES);
  try {
    return page.toString("latin1", 0, readSync(memory, page, 0, PAGE_BYTES, at));
  } catch {
    return ""; // the range was unmapped meanwhile
  }
}
