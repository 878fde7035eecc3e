/**
 * Constant load: each client sends small requests for one model, one after the other. The results are
 * counted.
 */
import { chat, streamedChat } from "./requests.ts";

export type Load = AsyncDisposable & {
  /**
   * How many requests had each outcome so far. `200 by NAME`: the server of that name sent a complete answer.
   * `503 CODE`: the proxy itself answered. `404 by NAME`: that server does not have the model.
   */
  readonly outcomes: ReadonlyMap<string, number>;
  /** All outcomes so far, except the expected ones. */
  readonly others: (...expected: readonly string[]) => readonly string[];
};

/** The pause between two requests of a client, in ms. */
const PAUSE_MS = 10;

/** @param ask sends one request, and resolves with its outcome */
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

/** Sends this many requests, some at the same time. @param send sends one, and resolves with its outcome */
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

/** The outcome of one request, by default a small one; see `Load`. */
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

/** The outcome of one streamed answer; see `Load`. For an error, it includes the body. */
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
 * The usual requests for a language model, for `startLoad`: small requests, streams, turns of conversations,
 * and prompts whose first token takes long.
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

/**
 * The messages of a conversation with this many turns. A longer one begins with the same messages. A turn is
 * 1.5 KiB.
 */
export function turnsOf(topic: string, turns: number): readonly object[] {
  return Array.from({ length: turns }, (_, n) => ({
    role: n % 2 === 0 ? "user" : "assistant",
    content: `${topic}, turn ${n}: `.repeat(200).slice(0, 1_536),
  }));
}

/** Which server has answered, and with which status. */
export async function outcomeOfAnswer(answer: Promise<Response>): Promise<string> {
  const response = await answer;
  await response.arrayBuffer();
  return `${response.status} by ${response.headers.get("x-served-by")}`;
}
