/** The page at `GET /`: which clients get it, its headers, and rules for its file. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { wantsPage } from "../../../src/proxy/own/page.ts";
import { rawExchange } from "../../support/client/raw-http.ts";
import { ROOT, readText } from "../../support/docs.ts";
import { type RunningProxy, startProxy } from "../../support/proxy/in-process.ts";

const PAGE = readText("src/proxy/own/page.html");
/** The header that Chromium sends for an address that a user types. */
const BROWSER =
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

/** @param lines headers of the request */
async function ask(
  proxy: RunningProxy,
  method: string,
  ...lines: readonly string[]
): Promise<{ readonly head: readonly string[]; readonly body: string }> {
  const request = [`${method} / HTTP/1.1`, ...lines, "Connection: close"].join("\r\n");
  const answer = await rawExchange(proxy.port, `${request}\r\n\r\n`);
  const [head = "", body = ""] = answer.split(/\r\n\r\n([\s\S]*)/);
  const stable = head
    .split("\r\n")
    .filter((line) => !/^date:/i.test(line))
    .map((line) => line.replace(/^[^ :]+:/, (name) => name.toLowerCase()));
  return { head: stable, body: Buffer.from(body, "latin1").toString() };
}

function headers(head: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    head.slice(1).map((line) => {
      const [name = "", value = ""] = line.split(/: (.*)/);
      return [name, value];
    }),
  );
}

describe("wantsPage()", () => {
  const wants = (accept: string | undefined, method = "GET"): boolean =>
    wantsPage(
      new Request("http://proxy/", {
        method,
        ...(accept !== undefined && { headers: { accept } }),
      }),
    );

  test.each([
    ...[
      "text/html",
      "TEXT/HTML",
      " text/html ",
      "*/*, text/html",
      "text/html;level=1",
      "text/html;q=0.1",
    ],
    ...[
      "text/html; q=0.001",
      "text/html;q=1",
      "application/json, text/html;q=0.5",
      "text/html;q=0, text/html",
    ],
    BROWSER.slice("Accept: ".length),
  ])("returns true for Accept: %j", (accept) => {
    expect(wants(accept)).toBe(true);
    expect(wants(accept, "HEAD")).toBe(true);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"])
      expect(wants(accept, method)).toBe(false);
  });

  test.each([
    ...[undefined, "", "*/*", "text/*", "application/json", "text/plain", "application/xhtml+xml"],
    ...["text/html;q=0", "text/html;q=0.0", "text/html ; Q = 0.000", "text/html;level=1;q=0"],
    ...[
      "text/htmlx",
      "xtext/html",
      "text/html+x",
      "application/text/html",
      'text/plain;x="text/html"',
    ],
    `${"a/b,".repeat(2_000)}text/html`, // longer than any browser's header
  ])("returns false for Accept: %j", (accept) => {
    expect(wants(accept)).toBe(false);
    expect(wants(accept, "HEAD")).toBe(false);
  });
});

describe("GET / from a browser", () => {
  test("returns the page; its policy allows only its script, its style and requests to the proxy", async () => {
    using proxy = startProxy();
    const { head, body } = await ask(proxy, "GET", "Host: localhost:8080", BROWSER);
    expect(head[0]).toBe("HTTP/1.1 200 OK");
    expect(body).toBe(PAGE);
    const { "content-security-policy": policy, connection: _, ...others } = headers(head);
    expect(others).toEqual({
      "content-type": "text/html;charset=utf-8",
      "content-length": String(Buffer.byteLength(PAGE)),
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
      vary: "Accept",
    });
    const hashOf = (pattern: RegExp): string => {
      const texts = [...PAGE.matchAll(pattern)].map(([, text = ""]) => text);
      expect(texts).toHaveLength(1);
      return createHash("sha256")
        .update(texts[0] ?? "")
        .digest("base64");
    };
    expect(policy?.split("; ")).toEqual([
      "default-src 'none'",
      `script-src 'sha256-${hashOf(/<script[^>]*>([\s\S]*?)<\/script>/g)}'`,
      `style-src 'sha256-${hashOf(/<style[^>]*>([\s\S]*?)<\/style>/g)}'`,
      "img-src data:",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'none'",
    ]);
  });

  test("HEAD has the same headers and no body", async () => {
    using proxy = startProxy();
    const [got, head] = await Promise.all(
      ["GET", "HEAD"].map((method) => ask(proxy, method, "Host: localhost", BROWSER)),
    );
    expect(head?.head).toEqual(got?.head ?? []);
    expect(head?.body).toBe("");
  });

  test("is a 404 that names the Host if the Host is public, and the page if the Host is trusted", async () => {
    using proxy = startProxy({ trustedHosts: ["p.example.com"] });
    const refused = await ask(proxy, "GET", "Host: evil.example", BROWSER);
    expect(refused.head[0]).toBe("HTTP/1.1 404 Not Found");
    expect(refused.body).toContain("evil.example");
    expect(refused.body).toContain("PROXY_TRUSTED_HOSTS");
    expect(proxy.log.lines).toHaveLength(1);
    const trusted = await ask(proxy, "GET", "Host: p.example.com", BROWSER);
    expect(trusted.body).toBe(PAGE);
  });

  test.each(["X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1"])(
    "is the 404 of an unknown path if the request comes through another proxy: %s",
    async (line) => {
      using proxy = startProxy();
      const { head, body } = await ask(proxy, "GET", "Host: localhost", line, BROWSER);
      expect([head[0], body]).toEqual(["HTTP/1.1 404 Not Found", NOTHING_THERE]);
    },
  );
});

/** The answer at `/` to clients that do not want a page. */
const NOTHING_THERE =
  '{"type":"error","error":{"type":"not_found_error","message":"Cannot serve the request: the API is below /v1/","param":null,"code":"not_found"}}';

describe("GET / from any other client", () => {
  test.each<[lines: readonly string[], more: readonly string[]]>([
    [[], []],
    [["Accept: */*"], []],
    [["Accept: application/json"], []],
    [["Accept: text/html;q=0"], []],
    [["Accept: */*", "Origin: http://page.test"], ["access-control-allow-origin: *"]],
  ])("is a 404 with always the same bytes: %j", async (lines, more) => {
    using proxy = startProxy();
    const expected = [
      "HTTP/1.1 404 Not Found",
      "content-type: application/json",
      `content-length: ${NOTHING_THERE.length}`,
      ...more,
    ];
    for (const host of ["localhost", "evil.example"]) {
      const got = await ask(proxy, "GET", `Host: ${host}`, ...lines);
      const head = await ask(proxy, "HEAD", `Host: ${host}`, ...lines);
      const stable = got.head.filter((line) => !line.startsWith("connection:"));
      expect(stable.toSorted()).toEqual(expected.toSorted());
      expect(got.body).toBe(NOTHING_THERE);
      expect([head.head, head.body]).toEqual([got.head, ""]);
    }
    expect(proxy.log.lines).toEqual([]);
  });

  test("POST / is the same 404, with any Accept", async () => {
    using proxy = startProxy();
    const { head, body } = await ask(
      proxy,
      "POST",
      "Host: localhost",
      "Content-Length: 0",
      BROWSER,
    );
    expect([head[0], body]).toEqual(["HTTP/1.1 404 Not Found", NOTHING_THERE]);
  });
});

describe("page.html", () => {
  test("has at most 40,000 bytes, and no carriage returns: browsers convert them before they hash", () => {
    expect(Buffer.byteLength(PAGE)).toBeLessThanOrEqual(40_000);
    expect(PAGE.includes("\r")).toBe(false);
  });

  test("refers to no other site", () => {
    const names = new Set([...PAGE.matchAll(/https?:\/\/[^\s'"`)]*/g)].map(([url]) => url));
    expect([...names]).toEqual(["http://www.w3.org/2000/svg"]); // a namespace
    const links = [...PAGE.matchAll(/\s(?:href|src|action|srcset|poster|data)=["']?([^"'\s>]*)/g)];
    for (const [, link = ""] of links) expect(link).toMatch(/^(?:#|data:image\/svg)/);
    expect(PAGE.match(/url\(|@import|import\(/)).toBeNull();
    expect([...PAGE.matchAll(/fetch\(("[^"]*")/g)].map(([, what]) => what)).toEqual(['"/status"']);
  });

  test("has no style attributes and no inline handlers, and never turns text into HTML", () => {
    const markup = PAGE.replace(/<(script|style)>[\s\S]*?<\/\1>/g, "");
    expect(markup).not.toMatch(/\sstyle=/i);
    expect(markup).not.toMatch(/\son\w+=/i);
    const makers =
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|setHTML|\beval\b|new Function|javascript:|srcdoc|\.style\b|cssText/;
    expect(PAGE.match(makers)).toBeNull();
  });

  test("has the same to-do text for each state as docs/operating.md", () => {
    const [, json = ""] = /^const TODO = (\{[\s\S]*?^\});$/m.exec(PAGE) ?? [];
    const docs = readText("docs/operating.md");
    const [, table = ""] =
      /^\| State \| What it means \| What to do \|\n.*\n((?:\|.*\n)+)/m.exec(docs) ?? [];
    const rows = table
      .trim()
      .split("\n")
      .map((row) => row.split("|").map((cell) => cell.trim()));
    const expected = rows.map(([, state = "", , what = ""]) => [state.replaceAll("`", ""), what]);
    expect(expected.length).toBeGreaterThan(10);
    const todo = JSON.parse(json) as Readonly<Record<string, string>>;
    expect(Object.entries(todo)).toEqual(expected as [string, string][]);
  });
});

test("the picture of the page in the docs has less than 150 kB", () => {
  const docs = readText("docs/operating.md");
  const [, file = ""] = /^!\[.+\]\((.+\.png)\)$/m.exec(docs) ?? [];
  expect(readFileSync(join(ROOT, "docs", file)).length).toBeLessThan(150_000);
});
