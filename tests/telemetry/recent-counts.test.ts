import { describe, expect, test } from "bun:test";
import { type Ended, RecentCounts } from "../../src/telemetry/recent-counts.ts";
import { ERRORS_MAX, ErrorCodes } from "../../src/telemetry/recent-errors.ts";
import { stepOf } from "../../src/telemetry/recent-figures.ts";

const OK: Ended = {
  status: 200,
  failed: false,
  error: undefined,
  pieces: 0,
  streamMs: 0,
  input: undefined,
  output: undefined,
};

const [SECOND, MINUTE] = [1_000, 60_000];
const HOUR = 60 * MINUTE;

function counts(): RecentCounts {
  return new RecentCounts(new ErrorCodes(), 0);
}

describe("RecentCounts", () => {
  test("returns null for a model without requests", () => {
    expect(counts().recent(0)).toBeNull();
  });

  test("counts requests by status class and error, and leaves out zeros", () => {
    const codes = new ErrorCodes();
    const one = new RecentCounts(codes, 0);
    for (const status of [101, 200, 204, 302, 404, 429, 500, undefined, 999]) {
      one.ended({ ...OK, status }, 0);
    }
    one.ended({ ...OK, status: 502, failed: true, error: codes.of("backend_unreachable") }, 0);
    one.ended({ ...OK, error: codes.of("client_gone") }, 0);
    expect(one.recent(0)?.last_5_minutes).toEqual({
      requests: 11,
      failed: 1,
      statuses: { "1xx": 1, "2xx": 3, "3xx": 1, "4xx": 2, "5xx": 2 },
      errors: { backend_unreachable: 1, client_gone: 1 },
      first_chunk_ms: null,
      pieces_per_second: null,
      tokens_per_second: null,
      input_tokens: 0,
      output_tokens: 0,
    });
  });

  test("sums up pieces, tokens and their times", () => {
    const one = counts();
    one.ended({ ...OK, pieces: 90, streamMs: 1_000, input: 7, output: 101 }, 0);
    one.ended({ ...OK, pieces: 10, streamMs: 1_000, input: 3, output: 0 }, 0); // reports no tokens
    one.ended({ ...OK, pieces: 1, streamMs: 0, output: 1 }, 0);
    one.ended({ ...OK, pieces: 99, streamMs: 1_000, output: 1 }, 0); // the only token came before the time began
    one.ended({ ...OK, input: 5, output: 1_000 }, 0); // not a stream
    one.ended({ ...OK, output: 8 }, 0);
    expect(one.recent(0)?.last_5_minutes).toMatchObject({
      pieces_per_second: 66.7,
      tokens_per_second: 100,
      input_tokens: 15,
      output_tokens: 1_111,
    });
  });

  test("ignores token counts that no answer can have", () => {
    const one = counts();
    one.ended({ ...OK, pieces: 1, streamMs: 1, input: 100_000_001, output: 2 ** 53 - 1 }, 0);
    one.ended({ ...OK, input: 100_000_000, output: 7 }, 0);
    expect(one.recent(0)?.last_hour).toMatchObject({
      tokens_per_second: null,
      input_tokens: 100_000_000,
      output_tokens: 7,
    });
  });

  test("returns percentiles of the first chunk with an error of at most a quarter", () => {
    const times = Array.from({ length: 1_000 }, (_, index) => 1.009 ** index * 3);
    const one = counts();
    for (const ms of times) one.firstChunk(stepOf(ms), 0);
    const { p50 = 0, p95 = 0 } = one.recent(0)?.last_hour.first_chunk_ms ?? {};
    for (const [told, real] of [
      [p50, times[499] ?? 0],
      [p95, times[949] ?? 0],
    ] as const) {
      expect(told / real).toBeGreaterThan(0.75);
      expect(told / real).toBeLessThan(1.25);
    }
  });

  test.each([
    [0, 0.6, 1],
    [1, 0.6, 1],
    [2, 1.5, 2.3],
    [1e9, 190_000, 290_000],
  ])("a first chunk after %d ms has a bucket", (ms, least, most) => {
    const one = counts();
    one.firstChunk(stepOf(ms), 0);
    const { p95 = Number.NaN } = one.recent(0)?.last_5_minutes.first_chunk_ms ?? {};
    expect(p95).toBeGreaterThanOrEqual(least);
    expect(p95).toBeLessThanOrEqual(most);
  });

  test("rounds percentiles to two digits", () => {
    const one = counts();
    one.firstChunk(stepOf(1_000), 0);
    expect(one.recent(0)?.last_hour.first_chunk_ms).toEqual({ p50: 1_200, p95: 1_400 });
  });

  test("the hour keeps counts, errors and sums that leave the last 5 minutes", () => {
    const codes = new ErrorCodes();
    const one = new RecentCounts(codes, 0);
    const error = codes.of("x");
    const end: Ended = { ...OK, error, pieces: 10, streamMs: 1_000, input: 1, output: 21 };
    for (const nowMs of [0, 5 * MINUTE, 10 * MINUTE]) one.ended(end, nowMs); // in the same short bucket
    const once = { requests: 1, errors: { x: 1 }, input_tokens: 1, output_tokens: 21 };
    const recent = one.recent(10 * MINUTE);
    expect(recent?.last_5_minutes).toMatchObject(once);
    expect(recent?.last_hour).toMatchObject({
      ...{ requests: 3, statuses: { "2xx": 3 }, errors: { x: 3 }, input_tokens: 3 },
      ...{ output_tokens: 63, pieces_per_second: 10, tokens_per_second: 20 },
    });
  });

  test("forgets after 5 minutes, and after an hour", () => {
    const one = counts();
    one.ended(OK, 5 * SECOND);
    const seen = (nowMs: number): readonly (number | undefined)[] => {
      const recent = one.recent(nowMs);
      return [recent?.last_5_minutes.requests, recent?.last_hour.requests];
    };
    expect(seen(5 * SECOND)).toEqual([1, 1]);
    expect(seen(5 * MINUTE - 1)).toEqual([1, 1]);
    expect(seen(5 * MINUTE)).toEqual([0, 1]);
    expect(seen(HOUR - 1)).toEqual([0, 1]);
    expect(seen(HOUR)).toEqual([undefined, undefined]);
  });

  test("counts each request once in every bucket: one a second for two hours", () => {
    const one = counts();
    for (let nowMs = 0; nowMs < 2 * HOUR; nowMs += SECOND) one.ended(OK, nowMs);
    const recent = one.recent(2 * HOUR - 1);
    expect(recent?.last_5_minutes.requests).toBe(300);
    expect(recent?.last_hour.requests).toBe(3_600);
    expect(recent?.requests_per_10_seconds).toEqual(new Array(30).fill(10));
  });

  test("the hour always covers at least 55 minutes", () => {
    const one = counts();
    for (let nowMs = 0; nowMs < 3 * HOUR; nowMs += 7 * SECOND) {
      one.ended(OK, nowMs);
      if (nowMs < HOUR) continue;
      const inHour = one.recent(nowMs)?.last_hour.requests ?? 0;
      expect(inHour).toBeGreaterThanOrEqual(Math.floor((55 * MINUTE) / (7 * SECOND)));
      expect(inHour).toBeLessThanOrEqual(Math.ceil(HOUR / (7 * SECOND)) + 1);
    }
  });

  test("counts older than an hour never come back and never remove newer ones", () => {
    const one = counts();
    one.ended(OK, 0);
    // In the same long bucket an hour later, then in the short bucket of the first request.
    for (let nowMs = HOUR + 10 * SECOND; nowMs < HOUR + 2 * MINUTE; nowMs += 10 * SECOND) {
      one.ended(OK, nowMs);
    }
    const next = HOUR + 5 * MINUTE;
    for (let nowMs = next + 10 * SECOND; nowMs < next + 2 * MINUTE; nowMs += 10 * SECOND) {
      one.ended(OK, nowMs);
    }
    one.ended(OK, HOUR + 10 * MINUTE);
    expect(one.recent(HOUR + 10 * MINUTE)?.last_hour.requests).toBe(11 + 11 + 1);
  });

  test("returns 30 numbers per 10 s, the oldest first", () => {
    const one = counts();
    for (const [seconds, count] of [
      [5, 2],
      [15, 1],
      [295, 4],
    ] as const) {
      for (let n = 0; n < count; n += 1) one.ended(OK, seconds * SECOND);
    }
    const line = one.recent(299 * SECOND)?.requests_per_10_seconds;
    expect(line).toEqual([2, 1, ...new Array(27).fill(0), 4]);
    expect(one.recent(300 * SECOND)?.requests_per_10_seconds).toEqual([
      1,
      ...new Array(27).fill(0),
      4,
      0,
    ]);
  });

  test("is idle an hour after the last request, unless one is in flight", () => {
    const one = counts();
    one.ended(OK, MINUTE);
    expect(one.idleMs(HOUR)).toBeLessThan(HOUR);
    one.inFlight = 1;
    expect(one.idleMs(2 * HOUR)).toBeLessThan(HOUR);
    one.inFlight = 0;
    expect(one.idleMs(HOUR + MINUTE - 1)).toBeLessThan(HOUR);
    expect(one.idleMs(HOUR + MINUTE)).toBeGreaterThanOrEqual(HOUR);
  });

  test("is not idle for an hour after the first request", () => {
    const one = new RecentCounts(new ErrorCodes(), 3 * HOUR);
    expect(one.idleMs(4 * HOUR - 1)).toBeLessThan(HOUR);
    expect(one.idleMs(4 * HOUR)).toBeGreaterThanOrEqual(HOUR);
  });

  test("uses fixed memory", () => {
    const codes = new ErrorCodes();
    const one = new RecentCounts(codes, 0);
    const error = codes.of("x");
    const step = (nowMs: number): void => {
      one.firstChunk(stepOf(nowMs % 1_000), nowMs);
      one.ended({ ...OK, error, input: 1, output: 2, pieces: 3, streamMs: 4 }, nowMs);
    };
    for (let n = 0; n < 1_000; n += 1) step(n * MINUTE);
    Bun.gc(true);
    const before = process.memoryUsage().heapUsed;
    for (let n = 1_000; n < 200_000; n += 1) step(n * MINUTE);
    Bun.gc(true);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(4 * 1024 * 1024);
  });
});

describe("ErrorCodes", () => {
  test("gives each code an index below the limit, and all further codes one shared index", () => {
    const codes = new ErrorCodes();
    const indexes = Array.from({ length: 100 }, (_, n) => codes.of(`code ${n}`));
    expect(new Set(indexes).size).toBe(ERRORS_MAX);
    expect(Math.max(...indexes)).toBe(ERRORS_MAX - 1);
    expect(codes.at(codes.of("code 3"))).toBe("code 3");
    expect(codes.at(codes.of("code 99"))).toBe("other");
  });

  test("gives the shared index to a code that is too long", () => {
    const codes = new ErrorCodes();
    expect(codes.of("x".repeat(49))).toBe(0);
    expect(codes.of("x".repeat(48))).toBe(1);
  });
});
