/**
 * The page at `GET /`, for people with a browser, and who wants it. It reads `GET /status`; what it shows is in
 * `page.html`, one file with one style and one script. Browsers run those two alone: their hashes are in the
 * Content-Security-Policy.
 */
import { createHash } from "node:crypto";
import html from "./page.html" with { type: "text" };

/** @types/bun knows only HTML that Bun bundles. */
const PAGE = html as unknown as string;

/** The longest `Accept` that is looked at. Browsers' have some 150 characters. */
const ACCEPT_LENGTH_MAX = 4_096;

/**
 * Says whether the client is a browser that wants to show a page: others do not name HTML in `Accept`.
 * Ranges like `text/*` name nothing. RFC 9110 §12.5.1.
 */
export function wantsPage({ method, headers }: Request): boolean {
  if (method !== "GET" && method !== "HEAD") return false;
  const accept = headers.get("accept") ?? "";
  return accept.slice(0, ACCEPT_LENGTH_MAX).split(",").some(isHtml);
}

/** `q=0` means that the client wants anything but this. */
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
 * Images are for the icon alone, which stands in the page. Without one, browsers would ask for
 * `/favicon.ico`. An image in a `data:` URL sends nothing anywhere.
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
  // Another version of the proxy has another page.
  "cache-control": "no-cache",
  vary: "Accept",
};

/** @returns a source expression of CSP: the hash of what stands between the tags of the only such element */
function hashOf(element: "script" | "style"): string {
  const text = PAGE.split(`<${element}>`)[1]?.split(`</${element}>`)[0] ?? "";
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
