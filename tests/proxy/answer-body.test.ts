import { describe, expect, test } from "bun:test";
import { type BodyWatch, open, watchBody } from "../../src/proxy/answer-body.ts";
import { until, within } from "../support/until.ts";

type End = Parameters<BodyWatch["ended"]>[0];

/** A watched upstream body that the test feeds. `events` lists all events in order. */
function watched(keepsPieces = false) {
  const events: string[] = [];
  const ends: End[] = [];
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  const upstream = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        source = controller;
      },
      cancel: (reason) => {
        events.push(`cancel ${String(reason)}`);
      },
    },
    { highWaterMark: 0 },
  );
  const body = watchBody(open(upstream), {
    waitFor: (what) => events.push(what),
    began: () => events.push("began"),
    keepsPieces,
    ended: (end) => {
      events.push("ended");
      ends.push(end);
    },
  });
  return { body, ends, events, source: source! };
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe("watchBody()", () => {
  test("passes on the same bytes and reports their number at the end", async () => {
    const { body, ends, source } = watched();
    for (const piece of ["one", "", "zwölf"]) source.enqueue(bytes(piece));
    source.close();
    expect(await within("the body", new Response(body).text())).toBe("onezwölf");
    expect(ends).toEqual([{ bytes: 9, pieces: 3 }]);
  });

  test("reads nothing before it is asked, and then passes on at once all bytes that have arrived", async () => {
    const { body, events, source } = watched();
    const reader = body.getReader();
    source.enqueue(bytes("one"));
    source.enqueue(bytes("two"));
    await Bun.sleep(0); // proves that nothing is read
    expect(events).toEqual([]);
    const { value } = await within("the pieces", reader.read());
    expect(Buffer.from(value!).toString()).toBe("onetwo");
    expect(events[0]).toBe("began"); // it did not have to wait
    const next = reader.read();
    source.enqueue(bytes("three"));
    expect(Buffer.from((await within("a piece", next)).value!).toString()).toBe("three");
  });

  test("reports its end before the reader sees the end", async () => {
    const { body, events, source } = watched();
    source.close();
    const { done } = await within("the end", body.getReader().read());
    events.push("seen");
    expect(done).toBe(true);
    expect(events).toEqual(["ended", "seen"]);
  });

  test("fails, and does not close, when the upstream breaks off", async () => {
    const { body, ends, source } = watched();
    const reader = body.getReader();
    source.enqueue(bytes("half"));
    await within("a piece", reader.read());
    const broken = new Error("ECONNRESET");
    source.error(broken);
    expect(
      await within(
        "the failure",
        reader.read().catch((error: unknown) => error),
      ),
    ).toBe(broken);
    expect(ends).toEqual([{ bytes: 4, pieces: 1, error: broken, isBug: false }]);
  });

  test("cancels the upstream with the reason when it is cancelled between reads", async () => {
    const { body, ends, events, source } = watched();
    const reader = body.getReader();
    const read = reader.read();
    source.enqueue(bytes("half"));
    await within("a piece", read);
    await within("the cancel", reader.cancel("client gone"));
    expect(events.slice(-2)).toEqual(["ended", "cancel client gone"]);
    expect(ends).toEqual([{ bytes: 4, pieces: 1, cancelled: true }]);
  });

  test("ends once, and not as broken off, when it is cancelled while a read is pending", async () => {
    const { body, ends, events } = watched();
    const reader = body.getReader();
    const pending = reader.read();
    await until("the upstream is being read", () => events.includes("read"));
    await within("the cancel", reader.cancel("client gone"));
    await within("the pending read", pending);
    await until("the upstream is cancelled", () => events.includes("cancel client gone"));
    expect(ends).toEqual([{ bytes: 0, pieces: 0, cancelled: true }]);
  });

  test("reports the first piece and the pieces of the last three reads, if it keeps pieces", async () => {
    const { body, ends, events, source } = watched(true);
    const reader = body.getReader();
    for (const text of ["one", "two", "three", "four", "five"]) {
      const read = reader.read();
      source.enqueue(bytes(text));
      await within("a piece", read);
    }
    source.close();
    await within("the end", reader.read());
    const [end] = ends;
    expect(end?.pieces).toBe(5);
    expect(Buffer.from(end?.firstPiece ?? []).toString()).toBe("one");
    const last = end?.lastPieces?.map((piece) => Buffer.from(piece).toString());
    expect(last).toEqual(["three", "four", "five"]);
    expect(events.filter((event) => event === "began")).toHaveLength(1);
  });

  test("keeps only the pieces since a long read, and only the head of a long first piece", async () => {
    const KIB = 1_024;
    for (const [lengths, kept] of [
      [
        [40, 16, 1],
        [16, 1],
      ],
      [
        [40, 15, 1],
        [40, 15, 1],
      ],
      [[1, 1, 99], [99]],
    ] as const) {
      const { body, ends, source } = watched(true);
      const reader = body.getReader();
      for (const length of lengths) {
        const read = reader.read();
        source.enqueue(new Uint8Array(length * KIB));
        await within("a piece", read);
      }
      source.close();
      await within("the end", reader.read());
      expect(ends[0]?.lastPieces?.map((piece) => piece.length / KIB)).toEqual([...kept]);
      const head = ends[0]?.firstPiece;
      expect(head?.length).toBe(Math.min(4, lengths[0]) * KIB);
      expect(head?.buffer.byteLength).toBe(head?.length);
    }
  });

  test("does not report a beginning when no bytes come", async () => {
    const { body, ends, events, source } = watched(true);
    source.close();
    await within("the end", body.getReader().read());
    expect(events).not.toContain("began");
    expect(ends).toEqual([{ bytes: 0, pieces: 0 }]);
  });
});
