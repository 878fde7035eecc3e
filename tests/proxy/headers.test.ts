import { describe, expect, test } from "bun:test";
import { endToEndHeaders, upstreamHeaders } from "../../src/proxy/headers.ts";

type Pairs = readonly (readonly [name: string, value: string])[];

const headersOf = (pairs: Pairs): Headers => {
  const headers = new Headers();
  for (const [name, value] of pairs) headers.append(name, value);
  return headers;
};

const kept = (pairs: Pairs): Pairs => [...endToEndHeaders(headersOf(pairs))];
const sent = (pairs: Pairs): Pairs =>
  [...upstreamHeaders(headersOf(pairs), undefined, "us")].filter(([name]) => name !== "via");

describe("endToEndHeaders()", () => {
  test.each([
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
  ])("drops %s", (name) => {
    expect(kept([[name, "x"]])).toEqual([]);
  });

  test.each<[name: string, value: string]>([
    ["authorization", "Bearer sk-1"],
    ["x-api-key", "k"],
    ["content-type", "application/json"],
    ["content-length", "13"],
    ["content-encoding", "gzip"],
    ["accept-encoding", "br, zstd"],
    ["user-agent", "OpenAI/Python 2.0"],
    ["traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
    ["www-authenticate", "Bearer"],
    ["x-latin", "caf\u00e9"],
    ["x-empty", ""],
  ])("keeps %s unchanged", (name, value) => {
    expect(kept([[name, value]])).toEqual([[name, value]]);
  });

  test("drops only headers that Connection names, in any case and spacing", () => {
    const headers: Pairs = [
      ["Connection", "X-Hop ,close,  x-OTHER"],
      ["X-Hop", "1"],
      ["x-other", "2"],
      ["x-hop-not", "3"],
    ];
    expect(kept(headers)).toEqual([["x-hop-not", "3"]]);
  });

  test("keeps each Set-Cookie separate, and joins lists", () => {
    const headers: Pairs = [
      ["set-cookie", "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT"],
      ["set-cookie", "b=2"],
      ["vary", "a"],
      ["vary", "b"],
    ];
    const result = endToEndHeaders(headersOf(headers));
    expect(result.getSetCookie()).toEqual(["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"]);
    expect(result.get("vary")).toBe("a, b");
  });

  test("does not change its argument", () => {
    const headers = headersOf([["connection", "close"]]);
    endToEndHeaders(headers);
    expect(headers.get("connection")).toBe("close");
  });
});

describe("upstreamHeaders()", () => {
  test.each([
    "proxy.test",
    "proxy.test:8080",
    "10.0.0.1:80",
    "[::1]",
    "[2001:db8::1]:8080",
    "under_score.test",
    "xn--bcher-kva.test",
  ])("keeps the Host %s and adds it as X-Forwarded-Host", (host) => {
    expect(sent([["host", host]])).toEqual([
      ["host", host],
      ["x-forwarded-host", host],
      ["x-forwarded-proto", "http"],
    ]);
  });

  test.each([
    "",
    "a b",
    "x/../y",
    "user:pass@host",
    "x#f",
    "a?b",
    "a, b",
    "a:b",
    "[::1",
    "a:123456",
  ])("drops the bad Host %p", (host) => {
    expect(sent([["host", host]])).toEqual([["x-forwarded-proto", "http"]]);
  });

  test("keeps X-Forwarded-Host and -Proto from a front proxy", () => {
    const headers: Pairs = [
      ["host", "inner.test"],
      ["x-forwarded-host", "api.example.com"],
      ["x-forwarded-proto", "https"],
    ];
    expect(sent(headers)).toEqual(headers);
  });

  test.each<[before: string | undefined, address: string | undefined, after: string | undefined]>([
    [undefined, "10.0.0.1", "10.0.0.1"],
    ["203.0.113.7", "10.0.0.1", "203.0.113.7, 10.0.0.1"],
    ["203.0.113.7, 10.9.9.9", "::1", "203.0.113.7, 10.9.9.9, ::1"],
    ["203.0.113.7", undefined, "203.0.113.7"],
    [undefined, undefined, undefined],
  ])("turns X-Forwarded-For %p from %p into %p", (before, address, after) => {
    const headers: Pairs = before === undefined ? [] : [["x-forwarded-for", before]];
    const result = upstreamHeaders(headersOf(headers), address, "us");
    expect(result.get("x-forwarded-for") ?? undefined).toBe(after);
  });

  test("drops hop-by-hop headers and Expect, and passes on all others", () => {
    const headers: Pairs = [
      ["authorization", "Bearer sk-1"],
      ["connection", "keep-alive, x-hop"],
      ["expect", "100-continue"],
      ["te", "trailers"],
      ["x-hop", "1"],
    ];
    expect(sent(headers)).toEqual([
      ["authorization", "Bearer sk-1"],
      ["x-forwarded-proto", "http"],
    ]);
  });

  test.each([
    [undefined, "1.1 us"],
    ["1.1 front, 2 other (nginx)", "1.1 front, 2 other (nginx), 1.1 us"],
  ])("adds this hop to Via %p", (before, after) => {
    const headers = new Headers(before === undefined ? {} : { via: before });
    expect(upstreamHeaders(headers, undefined, "us").get("via")).toBe(after);
  });
});
