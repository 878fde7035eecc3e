import { describe, expect, test } from "bun:test";
import { BytesReader, wholeBody } from "../../../src/proxy/body/whole-body.ts";
import { rawConnect } from "../../support/client/raw-http.ts";
import { within } from "../../support/until.ts";

const KIB = 1024;

/** Sends a request over a socket to a real server. Returns the body if `wholeBody` took it whole. */
async function sent(head: readonly string[], body: string): Promise<string | undefined> {
  const seen = Promise.withResolvers<string | undefined>();
  using server = Bun.serve({
    port: 0,
    fetch: async (request) => {
      const whole = await wholeBody(request);
      seen.resolve(whole && Buffer.from(whole).toString());
      return new Response();
    },
  });
  using client = await rawConnect(server.port!);
  client.send(`${["POST / HTTP/1.1", "Host: a", ...head].join("\r\n")}\r\n\r\n${body}`);
  return await within("the request", seen.promise); // await here: `using` stops the server at the end of the block
}

describe("wholeBody()", () => {
  test.each([1, 100, 16 * KIB])("takes a body of %d bytes that has come", async (length) => {
    const body = "x".repeat(length);
    expect(await sent([`Content-Length: ${length}`], body)).toBe(body);
  });

  test.each<[what: string, head: readonly string[], body: string]>([
    ["a body that is not complete yet", ["Content-Length: 10"], "half"],
    ["a body of unknown length", ["Transfer-Encoding: chunked"], "4\r\nhalf\r\n0\r\n\r\n"],
    ["an empty body", ["Content-Length: 0"], ""],
    ["a large body", [`Content-Length: ${65 * KIB}`], "x".repeat(65 * KIB)],
  ])("leaves %s to be read piece by piece", async (_what, head, body) => {
    expect(await sent(head, body)).toBeUndefined();
  });

  test("leaves a request that is not a POST", async () => {
    const init = { method: "PUT", body: "x", headers: { "content-length": "1" } };
    expect(await wholeBody(new Request("http://a/", init))).toBeUndefined();
  });
});

test("BytesReader returns a whole body as one piece", async () => {
  const reader = new BytesReader(Buffer.from("whole"));
  expect(reader.bytes).toBe(0);
  expect(await reader.read()).toEqual({ done: false, value: Buffer.from("whole") });
  expect([reader.bytes, await reader.read()]).toEqual([5, { done: true }]);
  reader.answered();
  await reader.cancel();
});
