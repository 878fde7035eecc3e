/** Records all requests for tests to read, except those to /admin and /health. */
import { appendFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

export type JournalEntry = {
  readonly method: string;
  /** With the query, in the bytes of the URL as Bun gives them. */
  readonly path: string;
  /** Known after the body is read. `null` if the body names none. */
  model: string | null;
  /** When the request's head had arrived, in ms since the epoch. */
  readonly at: number;
  /** The client hung up before the answer was complete. */
  aborted: boolean;
  /** The answer was complete, as far as the server could see. */
  done: boolean;
  /** For a WebSocket handshake, accepted or refused. It is done when a Close frame was sent or received. */
  readonly socket?: SocketRecord;
};

type SocketRecord = {
  /** The headers of the handshake. The names are in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The status of the answer to the handshake. `null` before the answer. */
  status: number | null;
  /** The types of the received events, in order. `null` for an event without a type. */
  readonly received: (string | null)[];
  /** `null` while the WebSocket is open. */
  end: SocketEnd | null;
};

export type SocketEnd = {
  /** 1005: a Close frame without a code. 1006: no Close frame. */
  readonly code: number;
  readonly reason: string;
  /** The side that closed first. */
  readonly by: "server" | "client";
};

export type SocketEntry = JournalEntry & { readonly socket: SocketRecord };

/**
 * Opens the request's entry, and follows the client's connection. At most one of done and aborted becomes
 * true.
 */
export function openEntry(request: Request, target: string): JournalEntry {
  const entry = newEntry(request, target);
  request.signal.addEventListener("abort", () => abortEntry(entry));
  return entry;
}

/** Does not follow the connection: the request's signal also fires when a WebSocket ends properly. */
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
 * Writes one JSON line to `<folder>/<hostname>.ndjson`. The hostname is the container's short id, unless it
 * was given another name. The line is written before the answer begins, so it survives any end of the server.
 */
export function keepEntry(folder: string, { path, model, at }: JournalEntry): void {
  append(folder, path, model, at);
}

/**
 * Writes one more such line, with the signal as the path. It separates the requests before it from the later
 * ones.
 */
export function keepSignal(folder: string, signal: NodeJS.Signals): void {
  append(folder, signal, null, Date.now());
}

function append(folder: string, path: string, model: string | null, at: number): void {
  appendFileSync(join(folder, `${hostname()}.ndjson`), `${JSON.stringify({ path, model, at })}\n`);
}
