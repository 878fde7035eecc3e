import { describe, expect, test } from "bun:test";
import { failureWords, isOfConnection } from "../../src/ground/failure-words.ts";
import { freePort, rawServer } from "../support/client/raw-http.ts";

function coded(code: string): Error {
  const advice = "pass `verbose: true` in the second argument to fetch()";
  return Object.assign(new TypeError(`10.0.0.7 failed; ${advice}`), { code });
}

describe("failureWords()", () => {
  test.each<[words: string, error: unknown]>([
    ["the server refused the connection", coded("ECONNREFUSED")],
    ["the server closed the connection", coded("ECONNRESET")],
    ["the server closed the connection", coded("EPIPE")],
    ["the proxy could not connect to the server", coded("EHOSTUNREACH")],
    ["the proxy could not connect to the server", coded("ENETUNREACH")],
    ["the proxy could not connect to the server", coded("ETIMEDOUT")],
    ["the proxy is out of file descriptors", coded("EMFILE")],
    [
      "the server's answer is not valid HTTP (Malformed_HTTP_Response)",
      coded("Malformed_HTTP_Response"),
    ],
    ["the server's answer is not valid HTTP (InvalidHTTPResponse)", coded("InvalidHTTPResponse")],
    ["the connection failed (ESOMETHINGNEW)", coded("ESOMETHINGNEW")],
    [
      "the proxy cannot pass on the server's answer (UnrequestedUpgrade)",
      coded("UnrequestedUpgrade"),
    ],
    ["the server's answer does not open a WebSocket", coded("BAD_HANDSHAKE")],
    [
      "the server sent an invalid WebSocket frame (WS_ERR_INVALID_UTF8)",
      coded("WS_ERR_INVALID_UTF8"),
    ],
    ["the server answered with status 503", coded("503")],
    ["the server answered with status 600", new RangeError("status 600")],
    ["the connection was aborted", new DOMException("The operation was aborted.", "AbortError")],
    ["the request failed (RangeError)", new RangeError("at 10.0.0.7")],
    ["the request failed", "10.0.0.7"],
    ["the request failed", undefined],
  ])("says %s", (words, error) => {
    expect(failureWords(error)).toBe(words);
  });

  test.each(["toString", "__proto__"])("does not mistake %s for a known code", (code) => {
    expect(failureWords(coded(code))).toBe(
      `the proxy cannot pass on the server's answer (${code})`,
    );
    expect(isOfConnection(coded(code))).toBe(false);
  });

  test("is short and printable, whatever is thrown", () => {
    const nasty = `\u001b[2J\n${"x".repeat(1_000_000)}`;
    const named = Object.assign(new Error("x"), { name: nasty });
    for (const error of [coded(nasty), named]) {
      expect(failureWords(error).length).toBeLessThan(120);
      expect(failureWords(error)).not.toMatch(/\p{Cc}/u);
    }
  });
});

describe("isOfConnection()", () => {
  test.each<[what: string, fail: (upstream: Awaited<ReturnType<typeof rawServer>>) => unknown]>([
    ["resets the connection", async (upstream) => (await upstream.request()).reset()],
    ["closes the connection", async (upstream) => (await upstream.request()).end()],
  ])("is true for a real fetch whose server %s", async (_what, fail) => {
    using upstream = await rawServer();
    const fetched = fetch(upstream.origin).catch((thrown: unknown) => thrown);
    await fail(upstream);
    const error = await fetched;
    expect(isOfConnection(error)).toBe(true);
    expect(failureWords(error)).toBe("the server closed the connection");
  });

  test("is true for a refused fetch, and false for an answer that is not HTTP", async () => {
    const refused = await fetch(`http://127.0.0.1:${await freePort()}`).catch(
      (thrown: unknown) => thrown,
    );
    expect(isOfConnection(refused)).toBe(true);
    using upstream = await rawServer();
    const fetched = fetch(upstream.origin).catch((thrown: unknown) => thrown);
    (await upstream.request()).send("SSH-2.0-OpenSSH_9.6\r\n\r\n");
    const error = await fetched;
    expect(isOfConnection(error)).toBe(false);
    expect(failureWords(error)).toStartWith("the server's answer is not valid HTTP");
  });
});
