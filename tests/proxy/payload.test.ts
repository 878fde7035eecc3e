import { describe, expect, test } from "bun:test";
import { Payloads } from "../../src/proxy/payload.ts";
import { startProxyTo } from "../support/proxy.ts";
import { rawServer } from "../support/raw-http.ts";
import { until, within } from "../support/until.ts";

const KIB = 1024;

function bytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(7);
}

describe("Payloads", () => {
  test("gives on what is no bytes, and few bytes whatever is kept already", () => {
    const payloads = new Payloads(0);
    const stream = new ReadableStream<Uint8Array>();
    expect(payloads.of(undefined).body).toBeNull();
    expect(payloads.of(stream).body).toBe(stream);
    const few = bytes(16 * KIB);
    expect(payloads.of(few).body).toBe(few);
  });

  test("gives bytes as a stream of the same where too many would be kept", async () => {
    const body = bytes(17 * KIB);
    const payloads = new Payloads(2 * body.length);
    const [first, second, third] = [payloads.of(body), payloads.of(body), payloads.of(body)];
    expect([first.body, second.body]).toEqual([body, body]);
    expect(third.body).toBeInstanceOf(ReadableStream);
    expect(await new Response(third.body).bytes()).toEqual(body);
  });

  test("counts what has been let go of once, however often it is said", () => {
    const body = bytes(17 * KIB);
    const payloads = new Payloads(body.length);
    const kept = payloads.of(body);
    expect(payloads.of(body).body).toBeInstanceOf(ReadableStream);
    kept.release();
    kept.release();
    expect(payloads.of(body).body).toBe(body);
    expect(payloads.of(body).body).toBeInstanceOf(ReadableStream);
  });
});

describe("a body that is kept is counted out", () => {
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
    ["when the answer can't be sent on", "HTTP/1.1 600 What\r\nContent-Length: 0\r\n\r\n", false],
  ])("%s", async (_when, reply, closes) => {
    const payloads = new Payloads();
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin, { payloads });
    const asked = fetch(`${proxy.origin}/v1/x`, { method: "POST", body: BODY })
      .then((response) => response.text())
      .catch(() => undefined);
    const request = await upstream.request();
    await request.waitFor(BODY.slice(-50));
    expect(payloads.kept).toBe(BODY.length);
    request.send(reply);
    if (closes) request.end();
    await within("its end", asked);
    await until("nothing is kept", () => payloads.kept === 0);
  });
});
