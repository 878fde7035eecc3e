/** Constant load: clients that send small requests for one model, one after the other, and count what comes of them. */
import { chat } from "./requests.ts";

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

export function startLoad(origin: string, model: string, clients = 2): Load {
  const outcomes = new Map<string, number>();
  let sending = true;
  const send = async (): Promise<void> => {
    while (sending) {
      const outcome = await outcomeOf(origin, model);
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

/** Of one small request; see `Load`. */
export async function outcomeOf(origin: string, model: string): Promise<string> {
  try {
    const response = await chat(origin, model, { tokens: 1 });
    const body = (await response.json()) as { readonly error?: { readonly code?: string } };
    const server = response.headers.get("x-served-by");
    return server === null
      ? `${response.status} ${body.error?.code}`
      : `${response.status} by ${server}`;
  } catch (error) {
    return `broken off: ${String(error)}`;
  }
}
