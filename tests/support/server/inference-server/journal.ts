/** What came in, for tests to ask about: every request but those to /admin and /health. */
import { appendFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

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

/**
 * One JSON line in `<folder>/<hostname>.ndjson`, where the hostname is the container's short id unless it was
 * given another: written before the answer begins, so that it is there whatever becomes of the server.
 */
export function keepEntry(folder: string, { path, model, at }: JournalEntry): void {
  const line = JSON.stringify({ path, model, at });
  appendFileSync(join(folder, `${hostname()}.ndjson`), `${line}\n`);
}
