/**
 * Sends requests while the demo stays up, so that the page has something to show: mostly streams, sometimes a
 * request for an unknown model, and sometimes a client that hangs up. A few a second, and only a few at once.
 */

export type TrafficInit = {
  readonly origin: string;
  /** The models of the chat servers. */
  readonly chats: readonly string[];
  /** The model of the server that answers Anthropic messages. */
  readonly messages: string;
  readonly signal: AbortSignal;
};

const PAUSE_MS = 350;
const AT_ONCE_MAX = 12;
/** One of this many requests fails, in one of the two ways. */
const [UNKNOWN_EVERY, HANG_UP_EVERY] = [17, 11];
const HANG_UP_MS = 200;

/** Ends soon after the signal, when no request is in flight any more. */
export async function keepTraffic(init: TrafficInit): Promise<void> {
  const underWay = new Set<Promise<void>>();
  for (let n = 1; !init.signal.aborted; n += 1) {
    if (underWay.size < AT_ONCE_MAX) {
      const request = send(n, init).catch(() => undefined); // a server is stopping, or the demo ends
      underWay.add(request);
      void request.then(() => underWay.delete(request));
    }
    await Bun.sleep(PAUSE_MS);
  }
  await Promise.all(underWay);
}

async function send(n: number, { origin, chats, messages, signal }: TrafficInit): Promise<void> {
  const isMessage = n % 5 === 0;
  const chat = chats[n % chats.length];
  const model = n % UNKNOWN_EVERY === 0 ? "gpt-unheard-of" : isMessage ? messages : chat;
  const body = {
    model,
    messages: [{ role: "user", content: `Question ${n}` }],
    ...(isMessage ? { max_tokens: 64 } : { stream: true, stream_options: { include_usage: true } }),
  };
  const hangsUp = n % HANG_UP_EVERY === 0;
  const answer = await fetch(`${origin}/v1/${isMessage ? "messages" : "chat/completions"}`, {
    method: "POST",
    body: JSON.stringify(body),
    proxy: false,
    signal: hangsUp ? AbortSignal.any([signal, AbortSignal.timeout(HANG_UP_MS)]) : signal,
  });
  await answer.text();
}
