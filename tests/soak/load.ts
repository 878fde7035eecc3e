/** Constant load: clients that request streams of random models, one after another, and check each answer. */
import type { Random } from "../support/client/random-json.ts";
import { between, pick } from "./random.ts";
import { StreamedText } from "./streamed-text.ts";

export type Outcome =
  | { readonly kind: "complete" }
  /** The client hung up on purpose. */
  | { readonly kind: "hung up" }
  | { readonly kind: "error"; readonly status: number; readonly code: string }
  /** The connection ended before the answer did. */
  | { readonly kind: "broken"; readonly why: string }
  /** Bytes were lost, added or changed, or a broken answer looked complete. */
  | { readonly kind: "garbled"; readonly why: string }
  /** No data came for far too long. */
  | { readonly kind: "silent" };

export type Exchange = {
  /** Also in the query of the request, which the server's journal records. */
  readonly number: number;
  readonly model: string;
  /** Ms since the epoch. */
  readonly sentMs: number;
  readonly endMs: number;
  /** Short id of the container that answered, from its answer. Empty without an answer. */
  readonly servedBy: string;
  readonly outcome: Outcome;
};

/** Longer than any pause of a container in the soak. */
const SILENCE_MS = 120_000;
/** The client's pause after an error, shorter than the pause of the SDKs. */
const RETRY_MS = 150;

export type LoadInit = {
  readonly origin: string;
  readonly models: readonly string[];
  readonly clients: number;
  /** One for each client. */
  readonly random: (client: number) => Random;
};

export class Load {
  readonly exchanges: Exchange[] = [];
  readonly #init: LoadInit;
  readonly #clients: Promise<unknown>;
  #number = 0;
  #stopped = false;

  constructor(init: LoadInit) {
    this.#init = init;
    this.#clients = Promise.all(
      Array.from({ length: init.clients }, (_, client) => this.#client(init.random(client))),
    );
  }

  /** Sends no more requests. Resolves when the answers in flight have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#clients;
  }

  async #client(random: Random): Promise<void> {
    while (!this.#stopped) {
      this.#number += 1;
      const exchange = await ask(this.#init, this.#number, random);
      this.exchanges.push(exchange);
      // The client's pace.
      await Bun.sleep(exchange.outcome.kind === "complete" ? random(50) : RETRY_MS);
    }
  }
}

async function ask(
  { origin, models }: LoadInit,
  number: number,
  random: Random,
): Promise<Exchange> {
  const model = pick(random, models);
  const tokens = between(random, 1, 60);
  const pace = {
    tokens,
    token_delay_ms: between(random, 10, 120),
    first_token_delay_ms: pick(random, [0, 0, 0, 0, 0, 0, 100, 500, 1_000, 3_000]),
  };
  const abort = new AbortController();
  const silence = setTimeout(() => abort.abort("silent"), SILENCE_MS);
  const hangUpMs = random(15) === 0 ? random(3_000) : undefined;
  const hangUp = hangUpMs && setTimeout(() => abort.abort("hung up"), hangUpMs);
  const sentMs = Date.now();
  let servedBy = "";
  let outcome: Outcome;
  try {
    const response = await fetch(`${origin}/v1/chat/completions?soak=${number}`, {
      method: "POST",
      body: JSON.stringify({ messages: [], stream: true, ...pace, model }),
      signal: abort.signal,
      keepalive: false,
    });
    servedBy = response.headers.get("x-served-by") ?? "";
    outcome = await read(response, new StreamedText({ model, tokens }, servedBy));
  } catch (error) {
    outcome = failureOf(error, abort.signal);
  }
  clearTimeout(silence);
  clearTimeout(hangUp);
  return { number, model, sentMs, endMs: Date.now(), servedBy, outcome };
}

async function read(response: Response, text: StreamedText): Promise<Outcome> {
  if (response.status !== 200) {
    const body = (await response.json()) as { readonly error?: { readonly code?: unknown } };
    return { kind: "error", status: response.status, code: String(body.error?.code) };
  }
  const utf8 = new TextDecoder();
  try {
    for await (const bytes of response.body ?? []) text.take(utf8.decode(bytes, { stream: true }));
  } catch (error) {
    if (text.fault === undefined) throw error;
  }
  if (text.fault !== undefined) return { kind: "garbled", why: text.fault };
  return text.complete ? { kind: "complete" } : { kind: "garbled", why: "it ends too early" };
}

function failureOf(error: unknown, signal: AbortSignal): Outcome {
  if (signal.reason === "hung up") return { kind: "hung up" };
  return signal.aborted ? { kind: "silent" } : { kind: "broken", why: String(error) };
}
