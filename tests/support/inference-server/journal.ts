/** What came in, for tests to ask about: every request but those to /admin and /health. */

export type JournalEntry = {
  readonly method: string;
  /** With the query, in the bytes of the URL as Bun hands it over. */
  readonly path: string;
  /** Known once the body is read; `null` if it names none. */
  model: string | null;
  /** When the request's head had come in; ms since the epoch. */
  readonly at: number;
  /** The client hung up before the answer was complete. */
  aborted: boolean;
  /** The answer was complete, as far as the server could see. */
  done: boolean;
};

/** Opens the request's entry and follows the client's connection. Only one of done and aborted ever holds. */
export function openEntry(request: Request, target: string): JournalEntry {
  const entry: JournalEntry = {
    method: request.method,
    path: target,
    model: null,
    at: Date.now(),
    aborted: false,
    done: false,
  };
  request.signal.addEventListener("abort", () => abortEntry(entry));
  return entry;
}

export function finishEntry(entry: JournalEntry): void {
  entry.done = !entry.aborted;
}

export function abortEntry(entry: JournalEntry): void {
  entry.aborted = !entry.done;
}
