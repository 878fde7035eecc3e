/**
 * Stands in for an inference server: a real Bun.serve that answers as the test wants, and keeps the requests.
 */

type ReceivedRequest = {
  readonly method: string;
  /** Path and query as received. */
  readonly target: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
};

export type FakeBackend = Disposable & {
  readonly origin: string;
  readonly received: readonly ReceivedRequest[];
};

type Answer = (request: ReceivedRequest) => Response | Promise<Response>;

export function fakeBackend(answer: Answer = () => new Response("answer")): FakeBackend {
  const received: ReceivedRequest[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      const kept: ReceivedRequest = {
        method: request.method,
        target: request.url.replace(/^http:\/\/[^/]*/, ""),
        headers: request.headers,
        body: await request.bytes(),
      };
      received.push(kept);
      return answer(kept);
    },
  });
  return {
    origin: `http://127.0.0.1:${server.port}`,
    received,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

/** An answer that is sent piece by piece when the test says so. */
export type StreamedAnswer = {
  readonly response: Response;
  readonly send: (text: string) => void;
  readonly end: () => void;
  /** Whether the reader has left. */
  readonly cancelled: () => boolean;
};

export function streamedAnswer(init?: ResponseInit): StreamedAnswer {
  let cancelled = false;
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => {
      source = controller;
    },
    cancel: () => {
      cancelled = true;
    },
  });
  return {
    response: new Response(stream, init),
    send: (text) => source?.enqueue(Buffer.from(text)),
    end: () => source?.close(),
    cancelled: () => cancelled,
  };
}
