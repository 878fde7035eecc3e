/**
 * Generates tokens at a set pace until the client hangs up. Each API dialect makes its own answer from them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Pace } from "./settings.ts";

/** One request for text, in any dialect. */
export type Call = {
  /** Without the dialect's prefix (`chatcmpl-`, `resp_` …). */
  readonly id: string;
  readonly model: string;
  readonly createdS: number;
  readonly promptTokens: number;
  readonly pace: Pace;
  /** OpenAI's `stream_options.include_usage`. */
  readonly includeUsage: boolean;
  /** The first token, so that the text shows a test which server answered. */
  readonly name: string;
  readonly signal: AbortSignal;
};

/** How one API writes an answer. */
export type Dialect = {
  readonly whole: (call: Call, text: string) => unknown;
  /** Server-sent events in their wire format. */
  readonly events: (call: Call, tokens: AsyncIterable<string>) => AsyncGenerator<string>;
};

export async function wholeAnswer(dialect: Dialect, call: Call): Promise<unknown> {
  await pause(call.pace.firstTokenDelayMs, call.signal);
  let text = "";
  for await (const token of generate(call)) text += token;
  return dialect.whole(call, text);
}

/** @param make gives the events of an answer. The first event comes when the first token is due */
export async function* paced<Event>(
  call: Call,
  make: (call: Call, tokens: AsyncIterable<string>) => AsyncGenerator<Event>,
): AsyncGenerator<Event> {
  await pause(call.pace.firstTokenDelayMs, call.signal);
  yield* make(call, generate(call));
}

/** `NAME`, ` 1`, ` 2` …: the text shows a gap or a repetition. */
async function* generate({ pace, name, signal }: Call): AsyncGenerator<string> {
  for (let index = 0; index < pace.tokens; index += 1) {
    if (index > 0) await pause(pace.tokenDelayMs, signal);
    yield index === 0 ? name : ` ${index}`;
  }
}

/** @throws the signal's AbortError when the client hangs up */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (ms > 0) await sleep(ms, undefined, { signal });
}

export function serverSentEvent(payload: unknown, name?: string): string {
  const event = name === undefined ? "" : `event: ${name}\n`;
  return `${event}data: ${JSON.stringify(payload)}\n\n`;
}
