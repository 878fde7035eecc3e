import { describe, expect, test } from "bun:test";
import { coolMsOf, copyOf, isDeclined } from "../../src/proxy/declined.ts";
import { within } from "../support/until.ts";

const NOW_MS = Date.parse("2026-11-27T12:00:00Z");

describe("coolMsOf()", () => {
  test.each<[retryAfter: string | undefined, ms: number]>([
    [undefined, 1_000],
    ["", 1_000],
    ["soon", 1_000],
    ["0", 1_000],
    ["-3", 1_000],
    ["1", 1_000],
    ["3", 3_000],
    [" 3 ", 3_000],
    ["5", 5_000],
    ["6", 5_000],
    ["99999999999999999999999", 5_000],
    ["1.5", 1_000],
    ["Fri, 27 Nov 2026 12:00:02 GMT", 2_000],
    ["Fri, 27 Nov 2026 13:00:00 GMT", 5_000],
    ["Fri, 27 Nov 2026 11:00:00 GMT", 1_000],
  ])("Retry-After %p: %d ms", (retryAfter, ms) => {
    const headers = new Headers(retryAfter === undefined ? {} : { "retry-after": retryAfter });
    expect(coolMsOf(headers, NOW_MS)).toBe(ms);
  });
});

test("isDeclined() is true only for 429 and 503", () => {
  const declined = [200, 400, 404, 408, 429, 500, 502, 503, 504].filter((status) =>
    isDeclined(new Response(null, { status })),
  );
  expect(declined).toEqual([429, 503]);
});

function never(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from("a")) });
}

describe("copyOf()", () => {
  test("copies status, end-to-end headers and bytes", async () => {
    const headers = { "content-type": "x/y", "retry-after": "7", "x-a": "b", connection: "x-c" };
    const copy = await copyOf(
      new Response("busy", { status: 503, headers: { ...headers, "x-c": "1" } }),
    );
    expect(copy?.status).toBe(503);
    expect(Object.fromEntries(copy?.headers ?? [])).toEqual({
      "content-type": "x/y",
      "retry-after": "7",
      "x-a": "b",
    });
    expect(await copy?.text()).toBe("busy");
  });

  test("adds no Content-Type, and copies an answer without a body", async () => {
    const bytes = await copyOf(new Response(Buffer.from("busy"), { status: 429 }));
    expect([bytes?.headers.get("content-type"), await bytes?.text()]).toEqual([null, "busy"]);
    const empty = await copyOf(new Response(null, { status: 503 }));
    expect([empty?.status, empty?.body]).toEqual([503, null]);
  });

  test.each<[what: string, body: () => ReadableStream<Uint8Array>]>([
    ["that never ends", never],
    ["of 64 KiB and a byte", () => new Blob(["x".repeat(64 * 1024 + 1)]).stream()],
  ])("gives up on a body %s", async (_what, body) => {
    const copy = copyOf(new Response(body(), { status: 503 }), 20);
    expect(await within("the copy", copy)).toBeUndefined();
  });

  test("throws if the answer breaks off, because the server has died", async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error("reset")) });
    expect(await copyOf(new Response(body, { status: 503 })).catch(String)).toBe("Error: reset");
  });

  test("copies a body of 64 KiB", async () => {
    const copy = await copyOf(new Response("x".repeat(64 * 1024), { status: 503 }));
    expect((await copy?.bytes())?.length).toBe(64 * 1024);
  });
});
