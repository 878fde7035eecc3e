import { describe, expect, test } from "bun:test";
import { ResponseIds } from "../../src/proxy/response-ids.ts";
import { makeBackend } from "../support/backends.ts";

function read(answer: string, pieceBytes = answer.length): ResponseIds {
  const ids = new ResponseIds();
  const reader = ids.reader(makeBackend({ containerId: "c" }));
  const bytes = Buffer.from(answer);
  for (let at = 0; at < bytes.length; at += pieceBytes) reader(bytes.subarray(at, at + pieceBytes));
  return ids;
}

const CREATED = `event: response.created\ndata: {"type":"response.created","response":{"id":"resp_1","object":"response"}}\n\n`;

describe("ResponseIds", () => {
  test.each([1, 7, 10_000])(
    "reads the id of a whole and of a streamed answer, in pieces of %d",
    (size) => {
      expect(read('{"id": "resp_1","object":"response"}', size).find("resp_1")).toMatchObject({
        containerId: "c",
      });
      expect(read(CREATED, size).find("resp_1")).toMatchObject({ containerId: "c" });
    },
  );

  test("takes the first id only, and none from far behind", () => {
    expect(read('{"id":"resp_1","output":[{"id":"msg_1"}]}').find("msg_1")).toBeUndefined();
    expect(
      read(`{"x":"${"y".repeat(20_000)}","id":"resp_1"}`, 1_000).find("resp_1"),
    ).toBeUndefined();
  });

  test("keeps the last 10,000", () => {
    const ids = new ResponseIds();
    for (let n = 0; n <= 10_000; n += 1)
      ids.reader(makeBackend())(Buffer.from(`{"id":"resp_${n}"}`));
    expect([ids.find("resp_0"), ids.find("resp_1")]).toEqual([undefined, expect.anything()]);
  });
});
