import { describe, expect, test } from "bun:test";
import { KeptBytes } from "../../../src/proxy/body/kept-bytes.ts";
import { readModelField } from "../../../src/proxy/body/request-body.ts";
import { piecewise } from "../../support/client/piecewise.ts";
import { streamOf } from "../../support/client/sent-body.ts";
import { NO_TURNS } from "../../support/proxy/turns.ts";

const MIB = 1024 * 1024;

describe("readModelField() without room for more kept bytes", () => {
  /** Only this many bytes are left. */
  function almostFull(left: number): KeptBytes {
    const kept = new KeptBytes(MIB);
    kept.reserve(4 * MIB - left);
    return kept;
  }

  test("hands over a body whose model has come as a stream", async () => {
    const text = `{"model":"m","pad":"${"x".repeat(1_000)}"}`;
    const { request } = piecewise([text], { "content-length": String(text.length) });
    const kept = almostFull(10);
    const { verdict, body } = await readModelField(request, kept, NO_TURNS);
    expect(verdict).toMatchObject({ kind: "found", model: "m" });
    expect(await new Response(streamOf(await body())).text()).toBe(text);
    expect(kept.total).toBe(4 * MIB - 10);
  });

  test("refuses a body whose model has not come", async () => {
    const { request } = piecewise(["{".padEnd(1_000), '"model":"m"}']);
    const { verdict, discard } = await readModelField(request, almostFull(10), NO_TURNS);
    discard();
    expect(verdict).toEqual({ kind: "overloaded" });
  });
});

test("readModelField() yields to other work, even if much of the body has come already", async () => {
  let given = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      given += 1;
      if (given > 200_000) controller.close();
      else controller.enqueue(Buffer.from(given === 1 ? "{" : " "));
    },
  });
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 1);
  const request = new Request("http://proxy.test/", { method: "POST", body });
  const { discard } = await readModelField(request, new KeptBytes(MIB), NO_TURNS);
  clearInterval(timer);
  discard();
  expect(turns).toBeGreaterThan(5);
});
