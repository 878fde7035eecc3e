import { describe, expect, test } from "bun:test";
import { statusAnswers } from "../../../src/proxy/own/status-answer.ts";
import type { Status } from "../../../src/status.ts";
import { startProxy } from "../../support/proxy/in-process.ts";
import { plainStatus } from "../../support/proxy/status-reply.ts";

type Asked = { readonly answer: Response; readonly etag: string };

async function ask(
  status: Partial<Status>,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
): Promise<Asked> {
  using proxy = startProxy({ status: () => plainStatus(status) });
  const answer = await fetch(`${proxy.origin}/status`, { headers, method, keepalive: false });
  return { answer, etag: answer.headers.get("etag") ?? "" };
}

const { etag: ETAG } = await ask({});

describe("the entity tag of GET /status", () => {
  test("is weak, and caches must revalidate it", async () => {
    const { answer, etag } = await ask({});
    expect(etag).toMatch(/^W\/"[0-9a-z]+"$/);
    expect(answer.headers.get("cache-control")).toBe("no-cache");
    expect(await answer.json()).toEqual(plainStatus());
  });

  test("does not depend on the uptime, but changes when anything else changes", async () => {
    expect((await ask({ uptime_seconds: 999_999 })).etag).toBe(ETAG);
    expect((await ask({ in_flight: 4 })).etag).not.toBe(ETAG);
    expect((await ask({ started_at: "" })).etag).not.toBe(ETAG);
    const version = '"uptime_seconds":1,';
    expect((await ask({ version })).etag).not.toBe((await ask({ version: `${version} ` })).etag);
  });

  const tag = ETAG.slice(2);

  test.each<[known: string]>([
    [ETAG],
    [tag], // weak comparison
    ["*"],
    [" * "],
    [`"a", ${ETAG}`],
    [`W/"x, y" , ${ETAG},"b"`],
    [`"other",${tag}`],
  ])("gives a 304 without a body if it matches (If-None-Match: %s)", async (known) => {
    for (const method of ["GET", "HEAD"]) {
      const { answer, etag } = await ask({}, { "if-none-match": known }, method);
      expect([answer.status, etag, await answer.text()]).toEqual([304, ETAG, ""]);
      expect(answer.headers.get("cache-control")).toBe("no-cache");
      expect(answer.headers.get("content-type")).toBeNull();
    }
  });

  test.each<[known: string]>([
    ['"other"'],
    ['W/"other", "*"'],
    [tag.slice(1, -1)],
    [""],
    [`${tag.slice(0, -1)}x"`],
    ["*, *"],
  ])("gives the whole status if it does not match (If-None-Match: %s)", async (known) => {
    const { answer } = await ask({}, { "if-none-match": known });
    expect([answer.status, await answer.json()]).toEqual([200, plainStatus()]);
  });

  test("is in the answer to HEAD, with the length of the body", async () => {
    const { answer, etag } = await ask({}, {}, "HEAD");
    expect([answer.status, etag]).toEqual([200, ETAG]);
    expect(answer.headers.get("content-length")).toBe(`${JSON.stringify(plainStatus()).length}`);
  });
});

describe("statusAnswers()", () => {
  /**
   * @param tookMs how long it takes to make a status
   * @param length the least length of its text
   */
  function rig(tookMs: number, length = 64 * 1024) {
    const clock = { nowMs: 5_000 };
    let made = 0;
    const status = (): Status => {
      made += 1;
      clock.nowMs += tookMs;
      const models = Array.from({ length: length / 64 }, (_, n) => ({
        ...{ id: `m${n}`, waiting: 0, in_flight: 0, servers: [], recent: null },
      }));
      return plainStatus({ in_flight: made, models });
    };
    const answer = statusAnswers(status, () => clock.nowMs);
    const seenAfter = async (ms: number): Promise<number> => {
      clock.nowMs += ms;
      const told = (await answer(new Request("http://x/status")).json()) as Status;
      return told.in_flight;
    };
    return { seenAfter };
  }

  test("reuses an expensive status for ten times as long as it took to make", async () => {
    const { seenAfter } = rig(50);
    expect(await seenAfter(0)).toBe(1);
    expect(await seenAfter(499)).toBe(1);
    expect(await seenAfter(1)).toBe(2);
  });

  test("reuses no status for longer than a second", async () => {
    const { seenAfter } = rig(10_000);
    expect(await seenAfter(0)).toBe(1);
    expect(await seenAfter(999)).toBe(1);
    expect(await seenAfter(1)).toBe(2);
  });

  test("never reuses a short status, even if the machine was slow", async () => {
    const { seenAfter } = rig(500, 32 * 1024);
    expect(await seenAfter(0)).toBe(1);
    expect(await seenAfter(0)).toBe(2);
  });

  test("makes a new status each time if this takes no time", async () => {
    const { seenAfter } = rig(0);
    expect(await seenAfter(0)).toBe(1);
    expect(await seenAfter(0)).toBe(2);
  });
});
