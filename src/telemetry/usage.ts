/**
 * Reads the token counts from an answer's body. Keeps only the end of the body, and its first event if needed.
 */
import { JoinedBytes } from "../ground/joined-bytes.ts";
import { memberAtEnd } from "./json-tail.ts";
import { TAIL_BYTES_MAX, Tail } from "./tail.ts";

/** Token counts; undefined if the answer does not report them. */
export type Usage = { readonly input: number | undefined; readonly output: number | undefined };

const NO_USAGE: Usage = { input: undefined, output: undefined };

/** Anthropic reports the input tokens in the first event. A ping may come before it. */
export const HEAD_BYTES_MAX = 4 * 1024;

export class UsageReader {
  readonly #isEventStream: boolean;
  readonly #tail = new Tail();
  readonly #head = new JoinedBytes();
  readonly #headBytesMax: number;

  /** @param keepsHead whether the first event may contain counts */
  constructor(isEventStream: boolean, keepsHead: boolean) {
    this.#isEventStream = isEventStream;
    this.#headBytesMax = isEventStream && keepsHead ? HEAD_BYTES_MAX : 0;
  }

  push(piece: Uint8Array): void {
    const missing = this.#headBytesMax - this.#head.length;
    if (missing > 0) this.#head.append(piece.subarray(0, missing));
    this.#tail.push(piece);
  }

  /** Only valid after the complete body. */
  get usage(): Usage {
    if (!this.#isEventStream) return bodyUsage(this.#tail.text);
    const last = eventsUsage(this.#tail.text, this.#tail.isCut);
    if (!this.#tail.isCut) return last;
    const head = Buffer.from(this.#head.bytes).toString();
    return merge(last, eventsUsage(head.slice(0, head.lastIndexOf("\n") + 1)));
  }
}

/**
 * Reads the token counts from the last pieces of a complete body, for callers that have not kept all pieces.
 *
 * @param pieces the last pieces, in order
 * @param first the first piece of an event stream, if it may contain counts
 */
export function usageOfLast(
  pieces: readonly Uint8Array[],
  isEventStream: boolean,
  first?: Uint8Array,
): Usage {
  const text = lastText(pieces);
  if (text.includes(OLLAMA_INPUT)) return ollamaUsage(text);
  if (!isEventStream) return bodyUsage(text);
  const last = text.includes(QUOTED) ? eventsUsage(text, true) : NO_USAGE;
  if (first === undefined || last.input !== undefined) return last;
  const head = lastText([first.subarray(0, HEAD_BYTES_MAX)]);
  return head.includes(QUOTED) ? merge(last, eventsUsage(head)) : last;
}

const OLLAMA_INPUT = '"prompt_eval_count"';

/** Ollama's own API has the counts in its object, or in the object in the last line of a stream. */
function ollamaUsage(text: string): Usage {
  const line = text.slice(text.lastIndexOf("\n", text.trimEnd().length - 1) + 1);
  const count = (key: string): number | undefined => {
    const written = memberAtEnd(line, key)?.trim() ?? "";
    return /^\d{1,15}$/.test(written) ? Number(written) : undefined;
  };
  return { input: count("prompt_eval_count"), output: count("eval_count") };
}

/** Decodes as Latin-1, which is faster and gives the same result for the names and numbers searched here. */
function lastText(pieces: readonly Uint8Array[]): string {
  let text = "";
  for (let index = pieces.length - 1; index >= 0 && text.length < TAIL_BYTES_MAX; index -= 1) {
    const piece = pieces[index] ?? NOTHING;
    const left = TAIL_BYTES_MAX - text.length;
    const before = LATIN_1.decode(piece.length > left ? piece.subarray(-left) : piece);
    text = text === "" ? before : before + text;
  }
  return text;
}

const LATIN_1 = new TextDecoder("latin1");
const NOTHING = new Uint8Array();

/** A body that is not an event stream: OpenAI and Anthropic have `usage` as a member of the object. */
function bodyUsage(text: string): Usage {
  return text.includes(QUOTED) ? usageIn(text, []) : NO_USAGE;
}

/**
 * An event stream. OpenAI: `usage` in the last event that has one. OpenAI Responses: `usage` in `response` of
 * the last event. Anthropic: output tokens in `message_delta`, input tokens there or in `message` of
 * `message_start`.
 *
 * @param isCut whether the beginning of the first line, with `data:`, may be missing
 */
function eventsUsage(text: string, isCut = false): Usage {
  let usage = NO_USAGE;
  let end = text.length;
  while (end > 0 && (usage.input === undefined || usage.output === undefined)) {
    const start = text.lastIndexOf("\n", end - 1) + 1;
    const line = text.slice(start, end);
    const isData = line.startsWith("data:") || (isCut && start === 0);
    if (isData && line.includes(QUOTED)) usage = merge(usage, usageIn(line, PARENTS));
    end = start - 1;
  }
  return usage;
}

const KEY = "usage";
const QUOTED = `"${KEY}"`;
const PARENTS = ["response", "message"];

function usageIn(json: string, parents: readonly string[]): Usage {
  const written = memberAtEnd(json, KEY, parents);
  try {
    return written === undefined ? NO_USAGE : countsOf(JSON.parse(written));
  } catch {
    return NO_USAGE;
  }
}

function countsOf(usage: unknown): Usage {
  if (typeof usage !== "object" || usage === null) return NO_USAGE;
  const count = (name: string): number | undefined => {
    const value = (usage as Readonly<Record<string, unknown>>)[name];
    return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
      ? value
      : undefined;
  };
  const input = count("prompt_tokens") ?? count("input_tokens");
  // Anthropic counts cached tokens separately from the input. OpenTelemetry's conventions include them.
  const cached =
    (count("cache_read_input_tokens") ?? 0) + (count("cache_creation_input_tokens") ?? 0);
  return {
    input: input === undefined ? undefined : input + cached,
    output: count("completion_tokens") ?? count("output_tokens"),
  };
}

function merge(last: Usage, earlier: Usage): Usage {
  return { input: last.input ?? earlier.input, output: last.output ?? earlier.output };
}
