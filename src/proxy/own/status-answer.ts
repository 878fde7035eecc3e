/** The answer to `GET /status`. Other modules make its content. */
import type { Status } from "../../status.ts";
import { statusText } from "./status-fit.ts";

type Made = { readonly text: string; readonly etag: string };

/** The proxy reuses a long text for this many times the duration of making it, and for one second at most. */
const [REUSE_FACTOR, REUSE_MS_MAX] = [10, 1_000];
/** The proxy never reuses a shorter text: making it is cheap, even if a busy machine makes it look slow. */
const LONG = 64 * 1024;

/**
 * Answers with the current status. With thousands of models the text takes a while to make. Then the proxy reuses it for
 * a moment, so that a client that asks without a pause does not slow down other requests.
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
 * Printable, because people read it with curl; the JSON has the same meaning. A client that polls can send the entity
 * tag, and gets a new text only when something other than the uptime has changed.
 */
function statusResponse(request: Request, { text, etag }: Made): Response {
  const headers = { "cache-control": "no-cache", etag };
  const known = request.headers.get("if-none-match");
  if (known !== null && isAmong(known, etag)) return new Response(null, { status: 304, headers });
  const type = "application/json;charset=utf-8";
  return new Response(text, { headers: { ...headers, "content-type": type } });
}

/** Only the version comes before this field, and quotes inside it are escaped. So the first match is the field. */
const UPTIME = /"uptime_seconds":[^,]*,/;

/** A weak tag, because the uptime does not count. */
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
