/** Constant load: clients that send small requests for one model, one after the other, and count what comes of them. */
import { chat, streamedChat } from "./requests.ts";

export type Load = AsyncDisposable & {
  /**
   * How many of each outcome so far: `200 by NAME` for a complete answer of the server of that name,
   * `503 CODE` for an answer of the proxy itself, `404 by NAME` if a server was asked for what it has not.
   */
  readonly outcomes: ReadonlyMap<string, number>;
  /** The outcomes so far that are none of these. */
  readonly others: (...expected: readonly string[]) => readonly string[];
};

/** Between two requests of a client, ms. */
const PAUSE_MS = 10;

/** @param ask sends one request, and says what came of it */
export function startLoad(
  origin: string,
  model: string,
  clients = 2,
  ask: (origin: string, model: string) => Promise<string> = outcomeOf,
): Load {
  const outcomes = new Map<string, number>();
  let sending = true;
  const send = async (): Promise<void> => {
    while (sending) {
      const outcome = await ask(origin, model);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      await Bun.sleep(PAUSE_MS); // the client's pace
    }
  };
  const all = Promise.all(Array.from({ length: clients }, send));
  return {
    outcomes,
    others: (...expected) => [...outcomes.keys()].filter((each) => !expected.includes(each)),
    [Symbol.asyncDispose]: async () => {
      sending = false;
      await all;
    },
  };
}

/** What comes of so many requests, some of them at the same time. @param send sends one, and says what came of it */
export async function outcomesOf(
  count: number,
  atOnce: number,
  send: (nth: number) => Promise<string>,
): Promise<Load["outcomes"]> {
  const outcomes = new Map<string, number>();
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      const outcome = await send(next);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, client));
  return outcomes;
}

/** Of one request, a small one if it is not told otherwise; see `Load`. */
export async function outcomeOf(
  origin: string,
  model: string,
  fields: object = {},
): Promise<string> {
  try {
    const response = await chat(origin, model, { tokens: 1, ...fields });
    const body = (await response.json()) as { readonly error?: { readonly code?: string } };
    const server = response.headers.get("x-served-by");
    return server === null
      ? `${response.status} ${body.error?.code}`
      : `${response.status} by ${server}`;
  } catch (error) {
    return `broken off: ${String(error)}`;
  }
}

/** Of one streamed answer; see `Load`. An error is told with its body. */
export async function outcomeOfStream(
  origin: string,
  model: string,
  fields: object = {},
): Promise<string> {
  try {
    const { status, by, text, end } = await streamedChat(origin, model, fields);
    const how = await end;
    if (status !== 200) return `${status} ${text()}`;
    return how === "complete" ? `200 by ${by}` : how;
  } catch (error) {
    return `broken off: ${String(error)}`;
  }
}

/**
 * What clients of a language model send, for `startLoad`: small requests, streams, turns of conversations, and
 * prompts whose first token takes its time.
 */
export function mixedRequests(): typeof outcomeOf {
  let count = 0;
  const kinds: readonly (typeof outcomeOf)[] = [
    (origin, model) => outcomeOf(origin, model),
    (origin, model) => outcomeOfStream(origin, model, { tokens: 10, token_delay_ms: 20 }),
    (origin, model) => outcomeOf(origin, model, { first_token_delay_ms: 200 }),
    (origin, model) => outcomeOf(origin, model, { messages: turnsOf(`talk ${count % 7}`, 4) }),
    (origin, model) => outcomeOfStream(origin, model, { tokens: 3, first_token_delay_ms: 100 }),
  ];
  return (origin, model) => {
    count += 1;
    return kinds[count % kinds.length]!(origin, model);
  };
}

/** The messages of a conversation of so many turns: those of a longer one begin with them. A turn is 1.5 KiB. */
export function turnsOf(topic: string, turns: number): readonly object[] {
  return Array.from({ length: turns }, (_, n) => ({
    role: n % 2 === 0 ? "user" : "assistant",
    content: `${topic}, turn ${n}: `.repeat(200).slice(0, 1_536),
  }));
}

/** Which server has answered, and how. */
export async function outcomeOfAnswer(answer: Promise<Response>): Promise<string> {
  const response = await answer;
  await response.arrayBuffer();
  return `${response.status} by ${response.headers.get("x-served-by")}`;
}
