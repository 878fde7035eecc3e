/**
 * The answer to a browser's preflight: may a page of another origin send this request? The proxy says yes
 * for all that it routes, whichever server would get the request: a preflight names no model. Whether the
 * page may read the answer that follows is for that answer's own headers to say.
 */

/** s. The most that Chromium honours; what is said here never changes, so that browsers need not ask again. */
const MAX_AGE_S = 7_200;

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;
/** Names of headers and the commas between them. */
const TOKENS = /^[!#$%&'*+.^_`|~\w\-, \t]+$/;

const METHOD = "access-control-request-method";
const HEADERS = "access-control-request-headers";

export function isPreflight({ method, headers }: Request): boolean {
  return method === "OPTIONS" && headers.has(METHOD);
}

/**
 * Names what was asked for instead of `*`, which does not cover `Authorization` (Fetch standard, "CORS-preflight
 * fetch"). What is no list of names is left out: no browser sends that. Credentials and private networks are
 * never allowed.
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
