/**
 * Fifty clients of one model. Each sends a request every 500 ms, also while earlier ones are being answered.
 * Half of them stream. They retry nothing. Each answer is checked from the first byte to the last.
 */
import { until } from "../until.ts";
import type { SwarmProxy } from "./proxies.ts";

const CLIENTS = 50;
const PAUSE_MS = 500;
/**
 * How many requests of a client may lack a complete answer. Two are usual; a machine that is too slow has
 * more.
 */
const OPEN_MAX = 6;
/** One second from the first token to the last. */
const STREAM = { stream: true, tokens: 11, token_delay_ms: 100 };
const SHORT = { tokens: 3, token_delay_ms: 20 };
/** After this time a client gives up, and the request counts as failed. */
const BOUND_MS = 60_000;

export type Sent = {
  readonly kind: "stream" | "whole";
  /** The node of the proxy that got the request. */
  readonly proxy: string;
  /** In ms since the epoch. */
  readonly startedAt: number;
  /** When the head of the answer and the whole answer had arrived, in ms after `startedAt`. */
  headMs?: number;
  endMs: number;
  /** `<node> <task id>` of the server that answered. */
  by?: string | null;
  /** `ok`, or the error. */
  outcome: string;
};

export class Clients implements AsyncDisposable {
  /** All requests that have ended. */
  readonly sent: Sent[] = [];
  readonly #proxies: readonly SwarmProxy[];
  readonly #model: string;
  readonly #loops: Promise<void>;
  readonly #ended = new AbortController();

  constructor(proxies: readonly SwarmProxy[], model: string) {
    this.#proxies = proxies;
    this.#model = model;
    const loops = Array.from({ length: CLIENTS }, (_, client) => this.#run(client));
    this.#loops = Promise.all(loops).then(() => undefined);
  }

  /** Stops sending. Resolves when every request has its answer. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#loops;
  }

  get failed(): readonly Sent[] {
    return this.sent.filter(({ outcome }) => outcome !== "ok");
  }

  /** Waits until this many more requests have ended, with any outcome. */
  untilMore(count: number): Promise<void> {
    const enough = this.sent.length + count;
    return until(`${enough} requests have ended`, () => this.sent.length >= enough, 30_000);
  }

  last(count: number): readonly Sent[] {
    return this.sent.slice(-count);
  }

  async #run(client: number): Promise<void> {
    await Bun.sleep((client * PAUSE_MS) / CLIENTS); // not all at the same moment
    const open = new Set<Promise<void>>();
    while (!this.#ended.signal.aborted) {
      if (open.size < OPEN_MAX) {
        const one = this.#send(client).finally(() => open.delete(one));
        open.add(one);
      }
      await Bun.sleep(PAUSE_MS); // the client's pace
    }
    await Promise.all(open);
  }

  async #send(client: number): Promise<void> {
    const kind = client % 4 < 2 ? "stream" : "whole";
    const asked = this.#proxies.filter(({ isAsked }) => isAsked);
    const proxy = this.#proxies[client % this.#proxies.length];
    const to = proxy?.isAsked === true ? proxy : asked[0];
    const one: Sent = {
      kind,
      proxy: to?.node ?? "none",
      startedAt: Date.now(),
      endMs: 0,
      outcome: "no proxy to ask",
    };
    if (to !== undefined) await ask(to, this.#model, one);
    one.endMs = Date.now() - one.startedAt;
    this.sent.push(one);
  }
}

/** Whether this server answered the request. @param id of its task */
export function isBy(id: string): (one: Sent) => boolean {
  return ({ by }) => by?.endsWith(` ${id}`) === true;
}

/** Sends the request, and records its outcome. */
async function ask(proxy: SwarmProxy, model: string, one: Sent): Promise<void> {
  const pace = one.kind === "stream" ? STREAM : SHORT;
  const messages = [{ role: "user", content: "hello" }];
  proxy.open += 1;
  proxy.unanswered += 1;
  try {
    const response = await fetch(`${proxy.origin}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model, messages, ...pace }),
      keepalive: false,
      signal: AbortSignal.timeout(BOUND_MS),
    }).finally(() => {
      proxy.unanswered -= 1;
    });
    one.headMs = Date.now() - one.startedAt;
    one.by = response.headers.get("x-served-by");
    const text = await response.text();
    one.outcome = fault(response.status, one, text) ?? "ok";
  } catch (error) {
    one.outcome = `broken off: ${String(error)}`;
  } finally {
    proxy.open -= 1;
  }
}

/** @returns undefined if the answer is complete and correct */
function fault(status: number, { kind, by }: Sent, text: string): string | undefined {
  if (status !== 200) return `${status} ${/"code":"(\w+)"/.exec(text)?.[1]} ${text.slice(0, 300)}`;
  const end = kind === "stream" ? STREAM.tokens - 1 : SHORT.tokens - 1;
  const said = kind === "stream" ? streamed(text) : whole(text);
  const expected = [by, ...Array.from({ length: end }, (_, n) => n + 1)].join(" ");
  return said === expected ? undefined : `not whole: ${said}`;
}

function whole(text: string): string {
  return JSON.parse(text).choices[0].message.content;
}

/** @returns the text, and what is missing at its end */
function streamed(text: string): string {
  const events = text.split("\n\n").filter((event) => event !== "");
  const last = events.pop();
  const words = events.map(
    (event) => JSON.parse(event.slice("data: ".length)).choices[0].delta.content ?? "",
  );
  return `${words.join("")}${last === "data: [DONE]" ? "" : " and no [DONE]"}`;
}
