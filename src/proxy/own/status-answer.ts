/** The answer to `GET /status`. What it shows is put together elsewhere. */
import type { Status } from "../../status.ts";
import { statusText } from "./status-fit.ts";

/**
 * Made printable, since people read it with curl. It stays the same JSON. Whoever asks again and again can say
 * what it has, and is told only when something but the uptime has changed.
 */
export function statusResponse(request: Request, status: Status): Response {
  const text = statusText(status);
  const etag = etagOf(text);
  const headers = { "cache-control": "no-cache", etag };
  const known = request.headers.get("if-none-match");
  if (known !== null && isAmong(known, etag)) return new Response(null, { status: 304, headers });
  const type = "application/json;charset=utf-8";
  return new Response(text, { headers: { ...headers, "content-type": type } });
}

/** The version comes before it, and has its quotes escaped. */
const UPTIME = /"uptime_seconds":[^,]*,/;

/** A weak one, as the uptime does not count. */
function etagOf(text: string): string {
  return `W/"${Bun.hash(text.replace(UPTIME, "")).toString(36)}"`;
}

/** RFC 9110 §8.8.3: an entity tag may hold commas. */
const TAGS = /(?:W\/)?("[^"]*")/g;

/** RFC 9110 §13.1.2, by weak comparison (§8.8.3.2). */
function isAmong(known: string, etag: string): boolean {
  if (known.trim() === "*") return true;
  return [...known.matchAll(TAGS)].some(([, tag]) => etag === `W/${tag}`);
}
