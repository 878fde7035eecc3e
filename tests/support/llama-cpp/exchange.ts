/**
 * One raw request to a server of the real llama.cpp, directly or through the proxy, and its answer in a
 * comparable form: values that differ for each request are masked.
 */
import { completeBody, rawConnect } from "../client/raw-http.ts";
import { until } from "../until.ts";

export type RawRequest = {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text is sent as it is, an object as JSON. */
  readonly body?: string | object;
  /** Sent in pieces of this size, with `Transfer-Encoding: chunked`. */
  readonly chunkBytes?: number;
};

export type Answer = {
  readonly status: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/**
 * The proxy changes these headers: hop-by-hop headers end at the proxy, Bun writes a date, and an answer of
 * unknown length or over 1 MiB is chunked.
 */
const OF_THE_CONNECTION = ["connection", "keep-alive", "date", "transfer-encoding"];

/** A busy machine takes seconds for a few hundred tokens. */
const ANSWER_BOUND_MS = 30_000;

export async function send(origin: string, request: RawRequest): Promise<Answer> {
  const { hostname, port } = new URL(origin);
  using connection = await rawConnect(Number(port), hostname);
  connection.send(textOf(request));
  await until("the answer has come", connection.closed, ANSWER_BOUND_MS);
  const received = connection.received();
  const body = completeBody(received);
  if (body === undefined) throw new Error(`The answer is not complete: ${received}`);
  const [status = "", ...lines] = received.slice(0, received.indexOf("\r\n\r\n")).split("\r\n");
  const headers = lines.map((line) => headerOf(line)).sort(([a], [b]) => a.localeCompare(b));
  return {
    status: status.split(" ")[1] ?? "",
    headers: Object.fromEntries(
      headers
        .filter(([name]) => !OF_THE_CONNECTION.includes(name))
        // The times in the body vary in length. The length fits the body: completeBody() has checked that.
        .map(([name, value]) => [name, name === "content-length" ? "it fits" : value]),
    ),
    body: masked(Buffer.from(body, "latin1").toString()),
  };
}

function textOf({
  method = "POST",
  path,
  headers = {},
  body = "",
  chunkBytes,
}: RawRequest): string {
  const bytes = Buffer.from(typeof body === "string" ? body : JSON.stringify(body)).toString(
    "latin1",
  );
  const framing =
    chunkBytes === undefined ? `Content-Length: ${bytes.length}` : "Transfer-Encoding: chunked";
  const all = { Host: "example.com", "Content-Type": "application/json", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  const head = [`${method} ${path} HTTP/1.1`, ...lines, framing, "Connection: close", "", ""];
  return head.join("\r\n") + (chunkBytes === undefined ? bytes : chunked(bytes, chunkBytes));
}

function chunked(bytes: string, size: number): string {
  const chunks = bytes.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
  return [...chunks, ""].map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
}

function headerOf(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

/** Masks ids, times and durations. */
function masked(body: string): string {
  return body
    .replaceAll(/"(created|created_at|completed_at)":\d+/g, '"$1":0')
    .replaceAll(/\b(chatcmpl|resp|msg|rs|fc|call)([-_])[A-Za-z0-9]+/g, "$1$2…")
    .replaceAll(/"timings":\{[^{}]*\}/g, '"timings":{}');
}
