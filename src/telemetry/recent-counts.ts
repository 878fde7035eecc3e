/**
 * Counts the requests of the last hour, for one model, one container, or all, in a fixed number of time
 * buckets. It uses fixed memory, and each event changes only one bucket. Times come from a monotonic clock.
 * Pure; it knows no request.
 */
import type { Recent, RecentWindow } from "../status.ts";
import { ERRORS_MAX, type ErrorCodes } from "./recent-errors.ts";
import { named, quantilesOf, rate, STEP_COUNT } from "./recent-figures.ts";

/** A short bucket is 10 s long. Together they cover 5 minutes. */
const SHORT_MS = 10_000;
const SHORT_COUNT = 30;
/** A long bucket is as long as all short ones. Together they cover an hour. */
const LONG_COUNT = 12;
const HOUR_BUCKETS = SHORT_COUNT * LONG_COUNT;
const BUCKETS = SHORT_COUNT + LONG_COUNT;

/** The counters of a bucket: requests, failed requests, status classes 1xx to 5xx, times to the first piece. */
const REQUESTS = 0;
const FAILED = 1;
const CLASSES = 2;
const CLASS_COUNT = 5;
const FIRST_CHUNKS = CLASSES + CLASS_COUNT;
const COUNTS = FIRST_CHUNKS + STEP_COUNT;

/** The sums of a bucket. */
const [PIECES, PIECES_MS, STREAM_TOKENS, STREAM_TOKENS_MS, INPUT_TOKENS, OUTPUT_TOKENS] = [
  0, 1, 2, 3, 4, 5,
];
const SUMS = 6;

/** One request that has ended. */
export type Ended = {
  /** Undefined if the request got no status. */
  readonly status: number | undefined;
  readonly failed: boolean;
  /** Index of its error in `ErrorCodes`; undefined if there was none. */
  readonly error: number | undefined;
  /** The number of pieces of a streamed answer after the first. */
  readonly pieces: number;
  /** Time from the first piece of a streamed answer to its end. */
  readonly streamMs: number;
  readonly input: number | undefined;
  readonly output: number | undefined;
};

export class RecentCounts {
  readonly #codes: ErrorCodes;
  readonly #counts = new Uint32Array(BUCKETS * COUNTS);
  readonly #sums = new Float64Array(BUCKETS * SUMS);
  /** Created when the first request fails: most models have no errors. */
  #errors: Uint32Array | undefined;
  /** The time of each bucket, as a number of 10 s (or 5 min) since the start of the clock; -1 if empty. */
  readonly #numbers = new Int32Array(BUCKETS).fill(-1);
  /** Requests that a backend is working on. */
  inFlight = 0;
  /** True after it has made room for others: its counts are no longer visible. */
  isForgotten = false;
  /** The number of the last short bucket with an event. */
  #latest: number;
  /** The last result and its short bucket, as a cache; undefined after a new event. */
  #told: { readonly number: number; readonly recent: Recent | null } | undefined;

  /** @param nowMs the time of the first request */
  constructor(codes: ErrorCodes, nowMs: number) {
    this.#codes = codes;
    this.#latest = numberAt(nowMs);
  }

  /** The time since the last event, ms, in steps of 10 s; 0 while a request is in flight. */
  idleMs(nowMs: number): number {
    return this.inFlight > 0 ? 0 : (numberAt(nowMs) - this.#latest) * SHORT_MS;
  }

  /**
   * The first piece of a streamed answer has arrived.
   *
   * @param step the histogram bucket of its time: see `stepOf`
   */
  firstChunk(step: number, nowMs: number): void {
    this.#told = undefined;
    const bucket = this.#bucketAt(nowMs);
    increase(this.#counts, bucket * COUNTS + FIRST_CHUNKS + step);
  }

  ended(end: Ended, nowMs: number): void {
    this.#told = undefined;
    const bucket = this.#bucketAt(nowMs);
    const { status, failed, error, pieces, input, output } = end;
    increase(this.#counts, bucket * COUNTS + REQUESTS);
    if (failed) increase(this.#counts, bucket * COUNTS + FAILED);
    const ofStatus = status === undefined ? 0 : Math.floor(status / 100);
    if (ofStatus >= 1 && ofStatus <= CLASS_COUNT) {
      increase(this.#counts, bucket * COUNTS + CLASSES + ofStatus - 1);
    }
    if (error !== undefined) {
      this.#errors ??= new Uint32Array(BUCKETS * ERRORS_MAX);
      increase(this.#errors, bucket * ERRORS_MAX + error);
    }
    if (pieces > 0 || input !== undefined || output !== undefined) this.#add(bucket, end);
  }

  /** @returns null without requests in the last hour */
  recent(nowMs: number): Recent | null {
    const number = numberAt(nowMs);
    if (this.#told?.number === number) return this.#told.recent;
    const recent = this.#recentAt(number);
    this.#told = { number, recent };
    return recent;
  }

  #recentAt(now: number): Recent | null {
    const hour = this.#window(now, HOUR_BUCKETS, BUCKETS);
    if (hour.requests === 0 && hour.first_chunk_ms === null) return null;
    const spark = new Array<number>(SHORT_COUNT).fill(0);
    for (let bucket = 0; bucket < SHORT_COUNT; bucket += 1) {
      const index = SHORT_COUNT - 1 - (now - (this.#numbers[bucket] ?? -1));
      if (index >= 0) spark[index] = this.#counts[bucket * COUNTS + REQUESTS] ?? 0;
    }
    return {
      last_5_minutes: this.#window(now, SHORT_COUNT, SHORT_COUNT),
      last_hour: hour,
      requests_per_10_seconds: spark,
    };
  }

  #add(bucket: number, end: Ended): void {
    const { pieces, streamMs } = end;
    const input = plausible(end.input);
    const output = plausible(end.output);
    const sums = this.#sums;
    const at = bucket * SUMS;
    sums[at + INPUT_TOKENS] = (sums[at + INPUT_TOKENS] ?? 0) + input;
    sums[at + OUTPUT_TOKENS] = (sums[at + OUTPUT_TOKENS] ?? 0) + output;
    if (pieces === 0) return;
    sums[at + PIECES] = (sums[at + PIECES] ?? 0) + pieces;
    sums[at + PIECES_MS] = (sums[at + PIECES_MS] ?? 0) + streamMs;
    if (output <= 1) return;
    // The first token came before this time began.
    sums[at + STREAM_TOKENS] = (sums[at + STREAM_TOKENS] ?? 0) + output - 1;
    sums[at + STREAM_TOKENS_MS] = (sums[at + STREAM_TOKENS_MS] ?? 0) + streamMs;
  }

  /** @returns the index of the short bucket; empties it first if it belongs to an older time */
  #bucketAt(nowMs: number): number {
    const number = numberAt(nowMs);
    const bucket = number % SHORT_COUNT;
    if (this.#numbers[bucket] !== number) this.#renew(bucket, number);
    return bucket;
  }

  /** Moves the old counts of a short bucket to the long bucket of their time. */
  #renew(bucket: number, number: number): void {
    const old = this.#numbers[bucket] ?? -1;
    if (old >= 0) this.#moveToLong(bucket, Math.floor(old / SHORT_COUNT));
    this.#empty(bucket, number);
    this.#latest = number;
  }

  #moveToLong(bucket: number, number: number): void {
    const long = SHORT_COUNT + (number % LONG_COUNT);
    const has = this.#numbers[long] ?? -1;
    if (has > number) return; // the counts are older than an hour
    if (has < number) this.#empty(long, number);
    move(this.#counts, bucket * COUNTS, long * COUNTS, COUNTS);
    move(this.#sums, bucket * SUMS, long * SUMS, SUMS);
    if (this.#errors === undefined) return;
    move(this.#errors, bucket * ERRORS_MAX, long * ERRORS_MAX, ERRORS_MAX);
  }

  #empty(bucket: number, number: number): void {
    this.#counts.fill(0, bucket * COUNTS, (bucket + 1) * COUNTS);
    this.#sums.fill(0, bucket * SUMS, (bucket + 1) * SUMS);
    this.#errors?.fill(0, bucket * ERRORS_MAX, (bucket + 1) * ERRORS_MAX);
    this.#numbers[bucket] = number;
  }

  /**
   * @param now the number of the current short bucket
   * @param length the length of the window in short buckets
   * @param end the index after the last bucket to read
   */
  #window(now: number, length: number, end: number): RecentWindow {
    for (const sums of [SUMMED, SUMMED_UP, SUMMED_ERRORS]) sums.fill(0);
    const firstLong = Math.floor(now / SHORT_COUNT) - LONG_COUNT;
    for (let bucket = 0; bucket < end; bucket += 1) {
      const number = this.#numbers[bucket] ?? -1;
      const after = bucket < SHORT_COUNT ? now - length : firstLong;
      if (number < 0 || number <= after) continue;
      addTo(SUMMED, this.#counts, bucket * COUNTS);
      addTo(SUMMED_UP, this.#sums, bucket * SUMS);
      if (this.#errors !== undefined) addTo(SUMMED_ERRORS, this.#errors, bucket * ERRORS_MAX);
    }
    return {
      requests: numberIn(SUMMED, REQUESTS),
      failed: numberIn(SUMMED, FAILED),
      statuses: named(SUMMED.subarray(CLASSES, FIRST_CHUNKS), (index) => `${index + 1}xx`),
      errors: named(SUMMED_ERRORS, (index) => this.#codes.at(index)),
      first_chunk_ms: quantilesOf(SUMMED.subarray(FIRST_CHUNKS)),
      pieces_per_second: rate(SUMMED_UP[PIECES], SUMMED_UP[PIECES_MS]),
      tokens_per_second: rate(SUMMED_UP[STREAM_TOKENS], SUMMED_UP[STREAM_TOKENS_MS]),
      input_tokens: numberIn(SUMMED_UP, INPUT_TOKENS),
      output_tokens: numberIn(SUMMED_UP, OUTPUT_TOKENS),
    };
  }
}

/** All windows share these buffers: there may be thousands of windows, and each is built synchronously. */
const SUMMED = new Float64Array(COUNTS);
const SUMMED_UP = new Float64Array(SUMS);
const SUMMED_ERRORS = new Float64Array(ERRORS_MAX);

/** No real answer takes more tokens. A server that reports more would distort the sums for an hour. */
const TOKENS_MAX = 100_000_000;

function plausible(tokens = 0): number {
  return tokens > TOKENS_MAX ? 0 : tokens;
}

function numberIn(numbers: Float64Array, index = 0): number {
  return numbers[index] ?? 0;
}

function numberAt(nowMs: number): number {
  return Math.floor(nowMs / SHORT_MS);
}

function increase(counts: Uint32Array, index: number): void {
  counts[index] = (counts[index] ?? 0) + 1;
}

function move(numbers: Uint32Array | Float64Array, from: number, to: number, length: number): void {
  for (let index = 0; index < length; index += 1) {
    numbers[to + index] = (numbers[to + index] ?? 0) + (numbers[from + index] ?? 0);
  }
}

function addTo(sums: Float64Array, numbers: Uint32Array | Float64Array, from: number): void {
  for (let index = 0; index < sums.length; index += 1) {
    sums[index] = (sums[index] ?? 0) + (numbers[from + index] ?? 0);
  }
}
