import { describe, expect, test } from "bun:test";
import { BytesReader, wholeBody } from "../../../src/proxy/body/whole-body.ts";
import { rawConnect } from "../../support/client/raw-http.ts";
import { within } from "../../support/until.ts";

const KIB = 1024;

/** What a real server makes of a request that comes over a socket: the body, if it was taken whole. */
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
  return await within("the request", seen.promise); // the server stops with the block
}

describe("wholeBody()", () => {
  test.each([1, 100, 16 * KIB])("takes a body of %d bytes that has come", async (length) => {
    const body = "x".repeat(length);
    expect(await sent([`Content-Length: ${length}`], body)).toBe(body);
  });

  test.each<[what: string, head: readonly string[], body: string]>([
    ["one that has come in part", ["Content-Length: 10"], "half"],
    ["one whose length is not known", ["Transfer-Encoding: chunked"], "4\r\nhalf\r\n0\r\n\r\n"],
    ["an empty one", ["Content-Length: 0"], ""],
    ["a large one", [`Content-Length: ${65 * KIB}`], "x".repeat(65 * KIB)],
  ])("leaves %s to be read piece by piece", async (_what, head, body) => {
    expect(await sent(head, body)).toBeUndefined();
  });

  test("leaves what is no POST", async () => {
    const init = { method: "PUT", body: "x", headers: { "content-length": "1" } };
    expect(await wholeBody(new Request("http://a/", init))).toBeUndefined();
  });
});

test("BytesReader gives a whole body on as one piece", async () => {
  const reader = new BytesReader(Buffer.from("whole"));
  expect(reader.bytes).toBe(0);
  expect(await reader.read()).toEqual({ done: false, value: Buffer.from("whole") });
  expect([reader.bytes, await reader.read()]).toEqual([5, { done: true }]);
  reader.answered();
  await reader.cancel();
});
