/**
 * What became of the requests of the last hour, for one model, one container, or all: counts in a fixed number of
 * buckets of time. Its memory is fixed, and what happens is written to one bucket alone. Times are those of a clock
 * that never goes back. Pure; it knows no request.
 */
import type { Recent, RecentWindow } from "../status.ts";
import { ERRORS_MAX, type ErrorCodes } from "./recent-errors.ts";
import { named, quantilesOf, rate, STEP_COUNT } from "./recent-figures.ts";

/** A short bucket is 10 s long. There are as many as make 5 minutes. */
const SHORT_MS = 10_000;
const SHORT_COUNT = 30;
/** A long bucket is as long as all short ones. There are as many as make an hour. */
const LONG_COUNT = 12;
const HOUR_BUCKETS = SHORT_COUNT * LONG_COUNT;
const BUCKETS = SHORT_COUNT + LONG_COUNT;

/** What a bucket counts: requests, those that failed, status classes from 1xx to 5xx, how soon answers began. */
const REQUESTS = 0;
const FAILED = 1;
const CLASSES = 2;
const CLASS_COUNT = 5;
const FIRST_CHUNKS = CLASSES + CLASS_COUNT;
const COUNTS = FIRST_CHUNKS + STEP_COUNT;

/** What a bucket sums up. */
const [PIECES, PIECES_MS, STREAM_TOKENS, STREAM_TOKENS_MS, INPUT_TOKENS, OUTPUT_TOKENS] = [
  0, 1, 2, 3, 4, 5,
];
const SUMS = 6;

/** One request that has ended. */
export type Ended = {
  /** Undefined if it got none. */
  readonly status: number | undefined;
  readonly failed: boolean;
  /** Index of its error in `ErrorCodes`; undefined if there was none. */
  readonly error: number | undefined;
  /** Of a streamed answer: the pieces behind the first one. */
  readonly pieces: number;
  /** From the first piece of a streamed answer to its end. */
  readonly streamMs: number;
  readonly input: number | undefined;
  readonly output: number | undefined;
};

export class RecentCounts {
  readonly #codes: ErrorCodes;
  readonly #counts = new Uint32Array(BUCKETS * COUNTS);
  readonly #sums = new Float64Array(BUCKETS * SUMS);
  /** Made when the first request fails: most models have no errors. */
  #errors: Uint32Array | undefined;
  /** Which bucket of time each has, counted from the clock's start; -1 if none. */
  readonly #numbers = new Int32Array(BUCKETS).fill(-1);
  /** Requests that a backend is working on. */
  inFlight = 0;
  /** It has made room for others: nobody sees its counts any more. */
  isForgotten = false;
  /** The bucket of time in which something has happened last. */
  #latest: number;
  /** What was told last, and in which bucket of time; undefined if something has happened since. */
  #told: { readonly number: number; readonly recent: Recent | null } | undefined;

  /** @param nowMs when somebody has first asked for it */
  constructor(codes: ErrorCodes, nowMs: number) {
    this.#codes = codes;
    this.#latest = numberAt(nowMs);
  }

  /** For how long nothing has happened, ms; 0 while a request is in flight. To 10 s. */
  idleMs(nowMs: number): number {
    return this.inFlight > 0 ? 0 : (numberAt(nowMs) - this.#latest) * SHORT_MS;
  }

  /**
   * The first piece of a streamed answer has come.
   *
   * @param step how long it took: see `stepOf`
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

  /** @returns null if there was none in the last hour */
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
    // The first one came before that time began.
    sums[at + STREAM_TOKENS] = (sums[at + STREAM_TOKENS] ?? 0) + output - 1;
    sums[at + STREAM_TOKENS_MS] = (sums[at + STREAM_TOKENS_MS] ?? 0) + streamMs;
  }

  /** @returns the index of the short bucket, emptied if it had an older time */
  #bucketAt(nowMs: number): number {
    const number = numberAt(nowMs);
    const bucket = number % SHORT_COUNT;
    if (this.#numbers[bucket] !== number) this.#renew(bucket, number);
    return bucket;
  }

  /** What a short bucket has counted goes to the long one of its time. */
  #renew(bucket: number, number: number): void {
    const old = this.#numbers[bucket] ?? -1;
    if (old >= 0) this.#moveToLong(bucket, Math.floor(old / SHORT_COUNT));
    this.#empty(bucket, number);
    this.#latest = number;
  }

  #moveToLong(bucket: number, number: number): void {
    const long = SHORT_COUNT + (number % LONG_COUNT);
    const has = this.#numbers[long] ?? -1;
    if (has > number) return; // it is older than an hour
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
   * @param now the number of the short bucket of now
   * @param length how many short buckets the window has
   * @param end the index behind the last bucket that may be in it
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

/** One of each for all windows: there may be thousands, and each is made in one step. */
const SUMMED = new Float64Array(COUNTS);
const SUMMED_UP = new Float64Array(SUMS);
const SUMMED_ERRORS = new Float64Array(ERRORS_MAX);

/** No answer takes more tokens. Whoever says so would spoil the sums over all for an hour. */
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
