/**
 * Answers a browser's preflight: may a page of another origin send this request? The proxy says yes to every
 * request that it routes. It cannot ask a server first, because a preflight names no model. The headers of the
 * later answer decide whether the page may read it.
 */

/** Seconds. Chromium honours no more. The answer never changes, so browsers need not ask again. */
const MAX_AGE_S = 7_200;

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;
/** Header names separated by commas. */
const TOKENS = /^[!#$%&'*+.^_`|~\w\-, \t]+$/;

const METHOD = "access-control-request-method";
const HEADERS = "access-control-request-headers";

export function isPreflight({ method, headers }: Request): boolean {
  return method === "OPTIONS" && headers.has(METHOD);
}

/**
 * Repeats the requested names instead of `*`, because `*` does not cover `Authorization` (Fetch standard,
 * "CORS-preflight fetch"). Leaves out a value that is not a list of names: no browser sends one. Never allows
 * credentials or private networks.
 */
export function preflightResponse({ headers }: Request): Response {
  const answer = new Headers({
    "access-control-allow-origin": "*",
    "access-control-max-age": String(MAX_AGE_S),
    vary: `${METHOD}, ${HEADERS}`,
  });
  const method = headers.get(METHOD) ?? "";
  if (TOKEN.test(method)) answer.set("access-control-allow-methods", method);
  const names = headers.get(HEADERS) ?? "";
  if (TOKENS.test(names)) answer.set("access-control-allow-headers", names);
  return new Response(null, { status: 204, headers: answer });
}
