import { describe, expect, test } from "bun:test";
import { ResponseIds } from "../../src/proxy/response-ids.ts";
import { makeBackend } from "../support/server/backends.ts";

function read(answer: string, pieceBytes = answer.length): ResponseIds {
  const ids = new ResponseIds(() => true);
  const reader = ids.reader(makeBackend({ run: { id: "c" } }));
  const bytes = Buffer.from(answer);
  for (let at = 0; at < bytes.length; at += pieceBytes) reader(bytes.subarray(at, at + pieceBytes));
  return ids;
}

const CREATED = `event: response.created\ndata: {"type":"response.created","response":{"id":"resp_1","object":"response"}}\n\n`;

describe("ResponseIds", () => {
  test.each([1, 7, 10_000])(
    "reads the id of a whole and of a streamed answer, in pieces of %d bytes",
    (size) => {
      expect(read('{"id": "resp_1","object":"response"}', size).find("resp_1")).toMatchObject({
        id: "c",
      });
      expect(read(CREATED, size).find("resp_1")).toMatchObject({ id: "c" });
    },
  );

  test("takes only the first id, and none beyond the first 16 KiB", () => {
    expect(read('{"id":"resp_1","output":[{"id":"msg_1"}]}').find("msg_1")).toBeUndefined();
    expect(
      read(`{"x":"${"y".repeat(20_000)}","id":"resp_1"}`, 1_000).find("resp_1"),
    ).toBeUndefined();
  });

  test("keeps the last 10,000", () => {
    const ids = new ResponseIds(() => true);
    for (let n = 0; n <= 10_000; n += 1)
      ids.reader(makeBackend())(Buffer.from(`{"id":"resp_${n}"}`));
    expect([ids.find("resp_0"), ids.find("resp_1")]).toEqual([undefined, expect.anything()]);
  });

  test("keeps an id for the first server that named it, while that server exists", () => {
    const [first, other] = [makeBackend({ run: { id: "a" } }), makeBackend({ run: { id: "b" } })];
    let isThere = true;
    const ids = new ResponseIds(() => isThere);
    const answer = Buffer.from('{"id":"resp_1"}');
    ids.reader(first)(answer);
    ids.reader(other)(answer);
    expect(ids.find("resp_1")).toMatchObject({ id: "a" });
    ids.reader(first)(answer);
    isThere = false;
    ids.reader(other)(answer);
    expect(ids.find("resp_1")).toMatchObject({ id: "b" });
  });

  test.each([
    ["nothing", "x"],
    ["white space after the key", " "],
    ["keys without a value", '"id"'],
    ["quotes", '"'],
  ])("looks at each byte once: 16 KiB of %s in pieces of one byte", (_what, pattern) => {
    const answer = `{"id"${pattern.repeat(16 * 1024)}`;
    read(answer.slice(0, 2_000), 1);
    const before = process.cpuUsage();
    read(answer, 1);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(150); // ms; it was 1,200
  });
});
