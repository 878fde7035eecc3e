/**
 * Parses HTTP/1.1 messages by hand, so that a test can compare the received bytes with the sent ones. Sends
 * nothing.
 */

export type HttpMessage = {
  /** Request line or status line. */
  readonly start: string;
  /** Lower-case name → values in order. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly framing: "length" | "chunked" | "close" | "none";
  readonly body: Buffer;
  /** Length of the whole message in bytes. */
  readonly length: number;
};

type Head = Pick<HttpMessage, "start" | "headers" | "length">;

/**
 * The head of the first message in `bytes`, if the head is complete. `length` is then the length of the head.
 */
export function parseHead(bytes: Buffer): Head | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [start = "", ...lines] = bytes.subarray(0, headEnd).toString("latin1").split("\r\n");
  return { start, headers: parseHeaders(lines), length: headEnd + 4 };
}

/**
 * The first message in `bytes`, if it is complete.
 *
 * @param ended whether the connection has ended, which ends a response without a length
 */
export function parseMessage(bytes: Buffer, ended = false): HttpMessage | undefined {
  const head = parseHead(bytes);
  if (head === undefined) return undefined;
  const { start, headers, length: at } = head;
  const framing = framingOf(start, headers);
  const body = bodyOf(
    bytes.subarray(at),
    framing,
    Number(headers.get("content-length")?.[0]),
    ended,
  );
  return body && { start, headers, framing, body: body.bytes, length: at + body.length };
}

function parseHeaders(lines: readonly string[]): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  return headers;
}

function framingOf(start: string, headers: ReadonlyMap<string, unknown>): HttpMessage["framing"] {
  if (/^HTTP\/1\.1 (?:1..|204|304)/.test(start)) return "none";
  if (headers.has("transfer-encoding")) return "chunked";
  if (headers.has("content-length")) return "length";
  return start.startsWith("HTTP/") ? "close" : "none";
}

type Body = { readonly bytes: Buffer; readonly length: number };

function bodyOf(
  rest: Buffer,
  framing: HttpMessage["framing"],
  length: number,
  ended: boolean,
): Body | undefined {
  switch (framing) {
    case "none":
      return { bytes: Buffer.alloc(0), length: 0 };
    case "length":
      return rest.length >= length ? { bytes: rest.subarray(0, length), length } : undefined;
    case "close":
      return ended ? { bytes: rest, length: rest.length } : undefined;
    case "chunked":
      return joinChunks(rest);
  }
}

function joinChunks(rest: Buffer): Body | undefined {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf("\r\n", at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(rest.toString("latin1", at, lineEnd), 16);
    const end = lineEnd + 2 + size + 2;
    if (Number.isNaN(size) || end > rest.length) return undefined;
    if (size === 0) return { bytes: Buffer.concat(chunks), length: end };
    chunks.push(rest.subarray(lineEnd + 2, end - 2));
    at = end;
  }
}
