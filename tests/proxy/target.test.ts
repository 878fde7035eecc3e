import { describe, expect, test } from "bun:test";
import { splitTarget, urlAt } from "../../src/proxy/target.ts";
import { makeBackend } from "../support/server/backends.ts";

describe("splitTarget()", () => {
  test.each<[url: string, path: string, query: string]>([
    ["http://proxy.test/v1/models", "/v1/models", ""],
    ["http://proxy.test:8080/v1/x?a=1&b=%20", "/v1/x", "?a=1&b=%20"],
    ["http://proxy.test/v1/x?", "/v1/x", "?"],
    ["http://proxy.test/v1/x?a=/b?c", "/v1/x", "?a=/b?c"],
    ["http://proxy.test/v1/a%2Fb%20c/%E2%82%AC", "/v1/a%2Fb%20c/%E2%82%AC", ""],
    ["http://proxy.test//evil.test/v1", "//evil.test/v1", ""],
    ["http://proxy.test/v1/x#f?g", "/v1/x", ""],
    ["http://proxy.test/v1/x?q#f", "/v1/x", "?q"],
    ["http://proxy.test/v1/http://x/y", "/v1/http://x/y", ""],
    ["http://proxy.test", "/", ""],
    ["http://[::1]:8080/v1", "/v1", ""],
    ["/v1/x?a=1", "/v1/x", "?a=1"],
    ["/v1/x?to=http://y/z", "/v1/x", "?to=http://y/z"],
    ["//evil.test/v1", "//evil.test/v1", ""],
    ["example.com:443", "/", ""],
  ])("splits %p into %p and %p", (url, path, query) => {
    expect(splitTarget(url)).toEqual({ path, query });
  });
});

describe("urlAt()", () => {
  test.each<[basePath: string, path: string, url: string]>([
    ["/v1", "/v1/x", "http://s/v1/x?q"],
    ["", "/v1/x", "http://s/x?q"],
    ["/api/v3", "/v1/x/v1/y", "http://s/api/v3/x/v1/y?q"],
    ["/v1", "/v1/embed", "http://s/v1/embed?q"],
    ["/v1", "/embed", "http://s/embed?q"],
    ["/api/v3", "/api/chat", "http://s/api/chat?q"],
  ])("turns base path %p and %p into %p", (basePath, path, url) => {
    const backend = makeBackend({ origin: "http://s", basePath });
    expect(urlAt(backend, { path, query: "?q" })).toBe(url);
  });
});
