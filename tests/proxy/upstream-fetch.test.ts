import { describe, expect, test } from "bun:test";
import { errorCode } from "../../src/ground/error-text.ts";
import { ask, requestInit } from "../../src/proxy/upstream-fetch.ts";
import { freePort, rawServer } from "../support/client/raw-http.ts";

function init(signal = new AbortController().signal, headers = new Headers()): BunFetchRequestInit {
  const payload = { body: null, release: () => undefined };
  return requestInit("GET", headers, payload, { signal, pool: undefined });
}

describe("ask()", () => {
  test.each<[reply: string, kind: "answer" | "no answer"]>([
    ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "answer"],
    ["HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "answer"],
    ["HTTP/1.1 599 What\r\nContent-Length: 0\r\n\r\n", "answer"],
    ["HTTP/1.1 600 What\r\nContent-Length: 0\r\n\r\n", "no answer"],
    ["no HTTP at all\r\n\r\n", "no answer"],
  ])("returns for %p: %s", async (reply, kind) => {
    using upstream = await rawServer();
    const asked = ask(`${upstream.origin}/v1/x`, init());
    (await upstream.request()).send(reply);
    expect((await asked).kind).toBe(kind);
  });

  test("returns no answer, with an error code, when there is no listener", async () => {
    const asked = await ask(`http://127.0.0.1:${await freePort()}/`, init());
    if (asked.kind === "answer") throw new Error("somebody has answered");
    expect(errorCode(asked.error)).toBe("ECONNREFUSED");
  });

  test("returns no answer when it was aborted", async () => {
    using upstream = await rawServer();
    const gone = new AbortController();
    const asked = ask(upstream.origin, init(gone.signal));
    await upstream.request();
    gone.abort();
    expect((await asked).kind).toBe("no answer");
  });

  test("throws on a bug of ours", async () => {
    const asked = ask("no URL", init());
    expect(await asked.catch((error: unknown) => error)).toBeInstanceOf(Error);
  });
});
