/**
 * Serves the page at `GET /` to browsers. The page is `page.html`, one file with one style and one script. It reads
 * `GET /status`. Browsers run only this style and this script: their hashes are in the Content-Security-Policy.
 */
import { createHash } from "node:crypto";
import html from "./page.html" with { type: "text" };

/** @types/bun only knows the type of HTML that Bun bundles. */
const PAGE = html as unknown as string;

/** How much of `Accept` the proxy reads. Browsers send about 150 characters. */
const ACCEPT_LENGTH_MAX = 4_096;

/**
 * Tells whether the client is a browser that wants a page: other clients do not name HTML in `Accept`.
 * Ranges like `text/*` do not count. RFC 9110 §12.5.1.
 */
export function wantsPage({ method, headers }: Request): boolean {
  if (method !== "GET" && method !== "HEAD") return false;
  const accept = headers.get("accept") ?? "";
  return accept.slice(0, ACCEPT_LENGTH_MAX).split(",").some(isHtml);
}

/** `q=0` means that the client does not accept this type. */
const REFUSED = /^\s*q\s*=\s*0(?:\.0*)?\s*$/i;

function isHtml(range: string): boolean {
  const [type = "", ...parameters] = range.split(";");
  return (
    type.trim().toLowerCase() === "text/html" &&
    !parameters.some((parameter) => REFUSED.test(parameter))
  );
}

export function pageResponse(): Response {
  return new Response(PAGE, { headers: HEADERS });
}

/**
 * The only image is the icon, which is part of the page. Without an icon, browsers would request
 * `/favicon.ico`. An image in a `data:` URL causes no request.
 */
const POLICY = [
  "default-src 'none'",
  `script-src '${hashOf("script")}'`,
  `style-src '${hashOf("style")}'`,
  "img-src data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const HEADERS = {
  "content-type": "text/html;charset=utf-8",
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  // Each version of the proxy has its own page.
  "cache-control": "no-cache",
  vary: "Accept",
};

/** @returns a CSP source expression: the hash of the text inside the only such element */
function hashOf(element: "script" | "style"): string {
  const text = PAGE.split(`<${element}>`)[1]?.split(`</${element}>`)[0] ?? "";
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
