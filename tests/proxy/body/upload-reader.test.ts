import { describe, expect, test } from "bun:test";
import { UploadReader } from "../../../src/proxy/body/upload-reader.ts";
import { piecewise } from "../../support/client/piecewise.ts";
import { until } from "../../support/until.ts";

function reading(...pieces: string[]) {
  const said: string[] = [];
  const { request, state } = piecewise(pieces);
  const reader = new UploadReader(request.body!, {
    expect: () => said.push("expect"),
    keepOpen: () => said.push("keepOpen"),
  });
  return { reader, said, state };
}

describe("UploadReader", () => {
  test("reports whose turn it is, before and after each read", async () => {
    const { reader, said } = reading("ab", "c");
    expect(said).toEqual([]);
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("ab");
    expect(said).toEqual(["expect", "keepOpen"]);
    await reader.read();
    expect(await reader.read()).toEqual({ done: true });
    expect(said).toEqual(["expect", "keepOpen", "expect", "keepOpen", "expect", "keepOpen"]);
    expect(reader.bytes).toBe(3);
  });

  test("expects nothing from the client after the answer has begun", async () => {
    const { reader, said } = reading("ab", "c");
    reader.answered();
    expect(said).toEqual(["keepOpen"]);
    await reader.read();
    expect(said).toEqual(["keepOpen", "keepOpen"]);
  });

  test("cancels the client's body", async () => {
    const { reader, state } = reading("ab", "c");
    await reader.cancel("not wanted");
    await until("it is cancelled", () => state.cancelled !== undefined);
    expect(state.cancelled).toBe("not wanted");
  });
});
