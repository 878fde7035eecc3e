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
  /** Of a WebSocket handshake that was taken or refused. It is done once a Close frame was sent or has come. */
  readonly socket?: SocketRecord;
};

type SocketRecord = {
  /** Of the handshake, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** What the handshake was answered; `null` until it is. */
  status: number | null;
  /** The types of the events that came, in order; `null` of one that has none. */
  readonly received: (string | null)[];
  /** `null` while it is open. */
  end: SocketEnd | null;
};

export type SocketEnd = {
  /** 1005: a Close frame without one. 1006: no Close frame. */
  readonly code: number;
  readonly reason: string;
  /** Who closed first. */
  readonly by: "server" | "client";
};

export type SocketEntry = JournalEntry & { readonly socket: SocketRecord };

/** Opens the request's entry and follows the client's connection. Only one of done and aborted ever holds. */
export function openEntry(request: Request, target: string): JournalEntry {
  const entry = newEntry(request, target);
  request.signal.addEventListener("abort", () => abortEntry(entry));
  return entry;
}

/** Does not follow the connection: the request's signal fires also when a WebSocket ends as it should. */
export function openSocketEntry(request: Request, target: string): SocketEntry {
  const headers = Object.fromEntries(request.headers);
  const socket = { headers, status: null, received: [], end: null };
  return { ...newEntry(request, target), socket };
}

export function endSocketEntry(entry: SocketEntry, end: SocketEnd): void {
  entry.socket.end = end;
  if (end.code === 1006) abortEntry(entry);
  else finishEntry(entry);
}

function newEntry({ method }: Request, path: string): JournalEntry {
  return { method, path, model: null, at: Date.now(), aborted: false, done: false };
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
  append(folder, path, model, at);
}

/** One line there as well, with the signal for a path: it tells requests that came before it from those that came after. */
export function keepSignal(folder: string, signal: NodeJS.Signals): void {
  append(folder, signal, null, Date.now());
}

function append(folder: string, path: string, model: string | null, at: number): void {
  appendFileSync(join(folder, `${hostname()}.ndjson`), `${JSON.stringify({ path, model, at })}\n`);
}
