/** The answer to `GET /status`. What it shows is put together elsewhere. */
import type { Status } from "../../status.ts";
import { statusText } from "./status-fit.ts";

type Made = { readonly text: string; readonly etag: string };

/** A long text is told again for so many times as long as it took to make, and for a second at most. */
const [REUSE_FACTOR, REUSE_MS_MAX] = [10, 1_000];
/** A shorter one is never told again: it takes no time to make, however long a busy machine lets it wait. */
const LONG = 64 * 1024;

/**
 * Answers with what the proxy shows now. On a host with thousands of models that takes a while to put together, so
 * then it is told again for a moment: whoever asks without a pause must not hold up the requests of others.
 *
 * @param nowMs a clock that never goes back
 */
export function statusAnswers(
  status: () => Status,
  nowMs: () => number = () => performance.now(),
): (request: Request) => Response {
  let made: Made | undefined;
  let untilMs = 0;
  return (request) => {
    const beganMs = nowMs();
    if (made === undefined || beganMs >= untilMs) {
      const text = statusText(status());
      made = { text, etag: etagOf(text) };
      const endedMs = nowMs();
      const reuseMs = Math.min(REUSE_MS_MAX, (endedMs - beganMs) * REUSE_FACTOR);
      untilMs = text.length < LONG ? endedMs : endedMs + reuseMs;
    }
    return statusResponse(request, made);
  };
}

/**
 * Made printable, since people read it with curl. It stays the same JSON. Whoever asks again and again can say
 * what it has, and is told only when something but the uptime has changed.
 */
function statusResponse(request: Request, { text, etag }: Made): Response {
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
