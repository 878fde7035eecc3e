import { describe, expect, test } from "bun:test";
import type { ModelList } from "../../src/fleet/model-list.ts";
import { ModelReading, type ModelReadingInit } from "../../src/fleet/model-reading.ts";
import { ModelsUnreadable } from "../../src/fleet/models-failure.ts";
import { listOf } from "../support/server/backends.ts";
import { expectNever, until, within } from "../support/until.ts";

type Rig = Disposable & {
  readonly reading: ModelReading;
  /** One for each started read. The test ends it. */
  readonly reads: readonly PromiseWithResolvers<ModelList>[];
  /** The callbacks, in order. */
  readonly told: readonly string[];
  /** The most reads in progress at the same time. */
  readonly most: () => number;
};

function rig(options: Partial<ModelReadingInit> = {}): Rig {
  const reads: PromiseWithResolvers<ModelList>[] = [];
  const told: string[] = [];
  let running = 0;
  let most = 0;
  const reading = new ModelReading({
    read: (signal) => {
      const read = Promise.withResolvers<ModelList>();
      signal.addEventListener("abort", () => read.reject(signal.reason));
      reads.push(read);
      running += 1;
      most = Math.max(most, running);
      return read.promise.finally(() => {
        running -= 1;
      });
    },
    onRead: (read) => told.push(read.models.map(({ id }) => id).join(" ")),
    onFailed: (reason) => told.push(`failed: ${reason}`),
    onBug: (error) => told.push(`bug: ${error}`),
    settled: async () => undefined,
    ...options,
  });
  return { reading, reads, told, most: () => most, [Symbol.dispose]: () => reading.stop() };
}

async function untilReads(made: Rig, count: number): Promise<void> {
  await until(`${count} reads have begun`, () => made.reads.length === count);
}

describe("ModelReading", () => {
  test("retries soon until a read succeeds, then reads at regular times", async () => {
    using made = rig({ rereadMs: 2_000 });
    made.reads[0]!.reject(new ModelsUnreadable("loading"));
    await untilReads(made, 2); // in 0.25 s, not 2
    made.reads[1]!.resolve(listOf("a"));
    const began = performance.now();
    await until("it is read once more", () => made.reads.length === 3, 4_000);
    expect(performance.now() - began).toBeWithin(1_700, 2_500);
    expect(made.told).toEqual(["failed: loading", "a"]);
  });

  test("a failed re-read is not repeated before the next one is due", async () => {
    using made = rig({ rereadMs: 800 });
    made.reads[0]!.resolve(listOf("a"));
    await untilReads(made, 2);
    made.reads[1]!.reject(new ModelsUnreadable("busy"));
    const began = performance.now();
    await untilReads(made, 3);
    expect(performance.now() - began).toBeWithin(650, 1_200); // not 0.25 s
    made.reads[2]!.resolve(listOf("b"));
    await untilReads(made, 4);
    expect(made.told).toEqual(["a", "failed: busy", "b"]);
  });

  test("a bug of ours is reported again after a read has succeeded", async () => {
    using made = rig({ rereadMs: 1 });
    for (const [index, isRead] of [false, false, true, false].entries()) {
      await untilReads(made, index + 1);
      if (isRead) made.reads[index]!.resolve(listOf("a"));
      else made.reads[index]!.reject(new TypeError("a bug"));
    }
    await untilReads(made, 5);
    const [bug, failed] = ["bug: TypeError: a bug", "failed: bug in the proxy: see its log"];
    expect(made.told).toEqual([bug, failed, failed, "a", bug, failed]);
  });

  test("readNow() during a read causes one more read after it, for any number of calls", async () => {
    using made = rig();
    const during = [made.reading.readNow(), made.reading.readNow(), made.reading.readNow()];
    expect(made.reads).toHaveLength(1);
    made.reads[0]!.resolve(listOf("a"));
    await untilReads(made, 2);
    made.reads[1]!.resolve(listOf("b"));
    await within("the reads", Promise.all(during));
    expect([made.told, made.reads.length, made.most()]).toEqual([["a", "b"], 2, 1]);
  });

  test("readNow() before a due retry replaces that retry", async () => {
    using made = rig();
    made.reads[0]!.reject(new ModelsUnreadable("loading"));
    await made.reading.firstTry;
    const asked = made.reading.readNow();
    expect(made.reads).toHaveLength(2); // at once
    made.reads[1]!.resolve(listOf("a"));
    await asked;
    // For 400 ms, longer than the retry had to wait.
    await expectNever("the retry comes too", () => made.reads.length > 2, 400);
    expect(made.told).toEqual(["failed: loading", "a"]);
  });

  test("readNow() resolves when the read fails too, and postpones the next read", async () => {
    using made = rig({ rereadMs: 300 });
    made.reads[0]!.resolve(listOf("a"));
    await made.reading.firstTry;
    await expectNever("it is read before 300 ms", () => made.reads.length > 1, 200);
    const asked = made.reading.readNow();
    made.reads[1]!.reject(new ModelsUnreadable("busy"));
    await within("the read", asked);
    await expectNever("the read due at 300 ms begins", () => made.reads.length > 2, 200);
    await untilReads(made, 3);
  });

  test("reads never overlap, even if slow and with short intervals", async () => {
    using made = rig({ rereadMs: 1 });
    for (let n = 0; n < 20; n += 1) {
      await untilReads(made, n + 1);
      void made.reading.readNow();
      await expectNever("another read begins meanwhile", () => made.reads.length > n + 1, 3);
      made.reads[n]!.resolve(listOf("a"));
    }
    expect(made.most()).toBe(1);
  });

  test("a bug of ours is reported once as a bug, and the read is tried again", async () => {
    using made = rig();
    made.reads[0]!.reject(new TypeError("undefined is not an object"));
    await untilReads(made, 2);
    made.reads[1]!.reject(new TypeError("undefined is not an object"));
    await untilReads(made, 3);
    const reason = "bug in the proxy: see its log";
    expect(made.told).toEqual([
      "bug: TypeError: undefined is not an object",
      `failed: ${reason}`,
      `failed: ${reason}`,
    ]);
  });

  test("stop() ends the reading: no callbacks follow, and waiting callers resolve", async () => {
    using made = rig({ rereadMs: 1 });
    made.reads[0]!.resolve(listOf("a"));
    await untilReads(made, 2);
    const asked = made.reading.readNow();
    made.reading.stop();
    await within("the waiting call", asked);
    await within("a call after stop()", made.reading.readNow());
    const goesOn = (): boolean => made.told.length > 1 || made.reads.length > 2;
    await expectNever("it goes on", goesOn, 20);
    expect(made.told).toEqual(["a"]);
  });

  test("stop() works inside a callback", async () => {
    using made = rig({ rereadMs: 1, onRead: () => made.reading.stop() });
    made.reads[0]!.resolve(listOf("a"));
    await made.reading.firstTry;
    await expectNever("it is read again", () => made.reads.length > 1, 20);
  });
});
