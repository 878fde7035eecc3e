import { describe, expect, test } from "bun:test";
import { KeptBytes } from "../../../src/proxy/body/kept-bytes.ts";
import { Payloads } from "../../../src/proxy/body/payload.ts";
import type { RequestBody } from "../../../src/proxy/body/read-result.ts";
import { rawServer } from "../../support/client/raw-http.ts";
import { startProxyTo } from "../../support/proxy/in-process.ts";
import { until, within } from "../../support/until.ts";

const KIB = 1024;

function bytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(7);
}

function ofBytes(content: Uint8Array<ArrayBuffer>): RequestBody {
  return { kind: "bytes", bytes: content };
}

/** More room than the test needs. */
const ROOM = (): KeptBytes => new KeptBytes(Number.POSITIVE_INFINITY);

describe("Payloads", () => {
  test("returns streams, empty bodies and bytes unchanged", () => {
    const payloads = new Payloads(ROOM());
    const stream = new ReadableStream<Uint8Array>();
    expect(payloads.of({ kind: "none" }).body).toBeNull();
    expect(payloads.of({ kind: "stream", stream }).body).toBe(stream);
    const few = bytes(16 * KIB);
    expect(payloads.of(ofBytes(few)).body).toBe(few);
  });

  test("turns bytes into a stream if fetch would keep too many", async () => {
    const body = bytes(17 * KIB);
    const payloads = new Payloads(ROOM(), 2 * body.length);
    const [first, second, third] = [
      payloads.of(ofBytes(body)),
      payloads.of(ofBytes(body)),
      payloads.of(ofBytes(body)),
    ];
    expect([first.body, second.body]).toEqual([body, body]);
    expect(third.body).toBeInstanceOf(ReadableStream);
    expect(await new Response(third.body).bytes()).toEqual(body);
  });

  test("turns bytes into a stream if all bodies together keep too many", () => {
    const body = bytes(17 * KIB);
    const kept = new KeptBytes(body.length / 4);
    const payloads = new Payloads(kept);
    expect([payloads.of(ofBytes(body)).body, kept.total]).toEqual([body, body.length]);
    expect(payloads.of(ofBytes(body)).body).toBeInstanceOf(ReadableStream);
  });

  test("counts a body out only once, even if release() is called again", () => {
    const body = bytes(17 * KIB);
    const payloads = new Payloads(ROOM(), body.length);
    const kept = payloads.of(ofBytes(body));
    expect(payloads.of(ofBytes(body)).body).toBeInstanceOf(ReadableStream);
    kept.release();
    kept.release();
    expect(payloads.of(ofBytes(body)).body).toBe(body);
    expect(payloads.of(ofBytes(body)).body).toBeInstanceOf(ReadableStream);
  });
});

describe("a kept body is counted out", () => {
  const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
  const BODY = JSON.stringify({ model: "m", pad: "x".repeat(100 * KIB) });

  test.each<[when: string, reply: string, closes: boolean]>([
    ["when the answer has ended", `${HEAD}Content-Length: 4\r\n\r\ndone`, false],
    [
      "when a stream has ended",
      `${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n`,
      false,
    ],
    ["when there is no body", "HTTP/1.1 204 No Content\r\n\r\n", false],
    ["when the answer breaks off", `${HEAD}Content-Length: 9\r\n\r\ndone`, true],
    ["when a stream breaks off", `${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n`, true],
    ["when there is no answer", "", true],
    [
      "when the answer cannot be passed on",
      "HTTP/1.1 600 What\r\nContent-Length: 0\r\n\r\n",
      false,
    ],
  ])("%s", async (_when, reply, closes) => {
    const kept = ROOM();
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin, { kept });
    const asked = fetch(`${proxy.origin}/v1/x`, { method: "POST", body: BODY })
      .then((response) => response.text())
      .catch(() => undefined);
    const request = await upstream.request();
    await request.waitFor(BODY.slice(-50));
    expect(kept.total).toBe(2 * BODY.length); // the proxy's own bytes, for a retry, and fetch's copy
    request.send(reply);
    if (closes) request.end();
    await within("its end", asked);
    await until("nothing is kept", () => kept.total === 0);
  });
});
