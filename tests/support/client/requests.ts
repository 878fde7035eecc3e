/**
 * The smallest client, by fetch: asks for models, sends chats, reads streams. For raw bytes see raw-http.ts.
 */
import { until } from "../until.ts";

export async function modelIds(origin: string): Promise<readonly string[]> {
  const response = await fetch(`${origin}/v1/models`, { keepalive: false });
  const list = (await response.json()) as { readonly data: readonly { readonly id: string }[] };
  return list.data.map(({ id }) => id);
}

export async function untilModels(
  origin: string,
  expected: readonly string[],
  boundMs = 20_000,
): Promise<void> {
  const wanted = expected.join();
  await until(
    `models are [${wanted}]`,
    async () => (await modelIds(origin)).join() === wanted,
    boundMs,
  );
}

export function post(origin: string, path: string, body: unknown): Promise<Response> {
  return fetch(`${origin}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    keepalive: false,
  });
}

export function chat(origin: string, model: string, more: object = {}): Promise<Response> {
  const messages = [{ role: "user", content: "hello" }];
  return post(origin, "/v1/chat/completions", { model, messages, ...more });
}

export type StreamedAnswer = {
  readonly status: number;
  /** The name of the server that answers. */
  readonly by: string | null;
  /** The text so far. */
  readonly text: () => string;
  /** `complete` if the stream ended properly, otherwise the error that the client saw. */
  readonly end: Promise<string>;
  readonly cancel: () => void;
};

/** Starts a streamed chat completion. Resolves when its first bytes have arrived. */
export async function streamedChat(
  origin: string,
  model: string,
  more: object = {},
): Promise<StreamedAnswer> {
  const abort = new AbortController();
  const response = await fetch(`${origin}/v1/chat/completions`, {
    method: "POST",
    body: JSON.stringify({ messages: [], stream: true, ...more, model }),
    signal: abort.signal,
    keepalive: false,
  });
  let text = "";
  const first = Promise.withResolvers<void>();
  const end = (async () => {
    try {
      const utf8 = new TextDecoder();
      for await (const bytes of response.body ?? []) {
        text += utf8.decode(bytes, { stream: true });
        first.resolve();
      }
      return text.endsWith("data: [DONE]\n\n")
        ? "complete"
        : `ended early after ${text.length} characters`;
    } catch (error) {
      return `broken off: ${String(error)}`;
    } finally {
      first.resolve();
    }
  })();
  await first.promise;
  const by = response.headers.get("x-served-by");
  return { status: response.status, by, text: () => text, end, cancel: () => abort.abort() };
}
