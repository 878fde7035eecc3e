/** The page at `GET /`, for people with a browser. It reads `GET /status`; what it shows is in `page.html`. */
import html from "./page.html" with { type: "text" };

/** @types/bun knows only HTML that Bun bundles. */
const PAGE = html as unknown as string;

/** Says whether the client is a browser that wants to show a page: others name no HTML in `Accept`. */
export function wantsPage({ method, headers }: Request): boolean {
  const isRead = method === "GET" || method === "HEAD";
  return isRead && /\btext\/html\b/i.test(headers.get("accept") ?? "");
}

export function pageResponse(): Response {
  return new Response(PAGE, { headers: { "content-type": "text/html;charset=utf-8" } });
}
