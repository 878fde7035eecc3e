import { expect, test } from "bun:test";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type HttpMessage, parseMessage } from "../support/client/http-message.ts";
import { type Exchange, randomExchange } from "../support/client/random-exchange.ts";
import { seededRandom } from "../support/client/random-json.ts";
import { startProxyTo } from "../support/proxy/in-process.ts";
import { until, within } from "../support/until.ts";

const EXCHANGES = 5_000;
const AT_ONCE = 16;
/** Any number. FUZZ_SEED in the environment repeats a failed run. */
const SEED = Number(process.env["FUZZ_SEED"] ?? 20_261_123);

const HOP_BY_HOP = new Set(["connection", "keep-alive", "proxy-authorization", "te", "x-hop"]);
/** Headers that the proxy adds, that Bun's fetch adds if they are missing, or that frame the message. */
const ADDED = new Set([
  ...["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "accept", "user-agent"],
  ...["connection", "content-length", "transfer-encoding", "date"],
]);

type Headers = readonly (readonly [name: string, value: string])[];

function endToEnd(headers: Headers): Record<string, string> {
  return join(headers.filter(([name]) => !HOP_BY_HOP.has(name.toLowerCase())));
}

/** The values of a name may arrive on one line or on several (RFC 9110 §5.3). */
function join(headers: Headers): Record<string, string> {
  const joined: Record<string, string> = {};
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    joined[key] = key in joined ? `${joined[key]}, ${value}` : value;
  }
  return joined;
}

function arrived(message: HttpMessage): Record<string, string> {
  const headers = [...message.headers].flatMap(([name, values]) =>
    ADDED.has(name) ? [] : values.map((value) => [name, value] as const),
  );
  return join(headers);
}

function chunked(chunks: readonly Buffer[]): Buffer {
  const framed = chunks.flatMap((chunk) => [
    Buffer.from(`${chunk.length.toString(16)}\r\n`),
    chunk,
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat(framed);
}

function head(start: string, headers: Headers): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  return Buffer.from(`${[start, ...lines].join("\r\n")}\r\n\r\n`, "latin1");
}

function requestBytes(exchange: Exchange): Buffer {
  const { method, path, query, id, requestHeaders, requestBody, requestChunks } = exchange;
  const framing: Headers = requestChunks
    ? [["Transfer-Encoding", "chunked"]]
    : [["Content-Length", String(requestBody.length)]];
  const all: Headers = [["Host", "fuzz.test"], ["X-Id", id], ...framing, ...requestHeaders];
  const body = requestChunks
    ? Buffer.concat([chunked(requestChunks), Buffer.from("0\r\n\r\n")])
    : requestBody;
  return Buffer.concat([head(`${method} /v1${path}${query} HTTP/1.1`, all), body]);
}

/** The sent part of the answer: head and body. */
function answerBytes({
  status,
  answerHeaders,
  answerBody,
  answerFraming,
  breakOff,
}: Exchange): Buffer {
  const framing: Headers =
    answerFraming === "length"
      ? [["Content-Length", String(answerBody.length)]]
      : answerFraming === "chunked"
        ? [["Transfer-Encoding", "chunked"]]
        : [];
  const sent = answerBody.subarray(0, breakOff?.at ?? answerBody.length);
  const start = head(`HTTP/1.1 ${status} Fuzz`, [
    ...framing,
    ["Content-Type", "x/y"],
    ...answerHeaders,
  ]);
  if (answerFraming !== "chunked") return Buffer.concat([start, sent]);
  const end = breakOff === undefined ? "0\r\n\r\n" : "";
  return Buffer.concat([start, chunked(sent.length > 0 ? [sent] : []), Buffer.from(end)]);
}

/** Gives each exchange its planned answer, and keeps the received request. */
function startUpstream(exchanges: ReadonlyMap<string, Exchange>): Disposable & {
  readonly origin: string;
  readonly received: ReadonlyMap<string, readonly HttpMessage[]>;
} {
  const received = new Map<string, HttpMessage[]>();
  const onRequest = (socket: Socket, message: HttpMessage): void => {
    const id = message.headers.get("x-id")?.[0] ?? "";
    received.set(id, [...(received.get(id) ?? []), message]);
    const exchange = exchanges.get(id)!;
    socket.write(answerBytes(exchange), () => {
      if (exchange.breakOff?.how === "reset") socket.resetAndDestroy();
      else if (exchange.breakOff !== undefined || exchange.answerFraming === "close") socket.end();
    });
  };
  const server = createServer((socket) => {
    let pending: Buffer = Buffer.alloc(0);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      pending = Buffer.concat([pending, Buffer.from(bytes)]);
      const message = parseMessage(pending);
      if (message === undefined) return;
      pending = pending.subarray(message.length);
      onRequest(socket, message);
    });
  });
  server.listen(0, "127.0.0.1");
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    received,
    [Symbol.dispose]: () => void server.close(),
  };
}

type Received = { readonly message: HttpMessage | undefined; readonly bytes: Buffer };

async function send(port: number, exchange: Exchange): Promise<Received> {
  const socket = connect({ port, host: "127.0.0.1" });
  const pieces: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<Received>();
  const look = (ended: boolean): void => {
    const bytes = Buffer.concat(pieces);
    const message = parseMessage(bytes, ended);
    if (message !== undefined || ended) resolve({ message, bytes });
  };
  socket.on("data", (bytes) => {
    pieces.push(Buffer.from(bytes));
    look(false);
  });
  socket.on("error", () => look(true));
  socket.on("close", () => look(true));
  socket.write(requestBytes(exchange));
  const received = await within(`the answer to ${exchange.id}`, promise);
  socket.destroy();
  return received;
}

function check(
  exchange: Exchange,
  requests: readonly HttpMessage[],
  { message, bytes }: Received,
): void {
  expect(requests.map(({ start }) => start)).toEqual([
    `${exchange.method} /v1${exchange.path}${exchange.query} HTTP/1.1`,
  ]);
  const [request] = requests;
  expect(request!.framing).toBe(exchange.requestChunks ? "chunked" : "length");
  expect(request!.body.equals(exchange.requestBody)).toBe(true);
  const sent = endToEnd([["Host", "fuzz.test"], ["X-Id", exchange.id], ...exchange.requestHeaders]);
  const { via, ...others } = arrived(request!) as Record<string, unknown>;
  expect(via).toStartWith("1.1 lw-inference-proxy-");
  expect(others).toEqual(sent);
  if (exchange.breakOff !== undefined) {
    expect(message?.start).toBeUndefined(); // the answer must not be complete
    return;
  }
  expect(message?.start ?? bytes.toString("latin1", 0, 200)).toStartWith(
    `HTTP/1.1 ${exchange.status} `,
  );
  expect(message!.body.equals(exchange.answerBody)).toBe(true);
  expect(arrived(message!)).toEqual(endToEnd([["Content-Type", "x/y"], ...exchange.answerHeaders]));
}

test(`${EXCHANGES} random exchanges arrive as they were sent (FUZZ_SEED=${SEED})`, async () => {
  const random = seededRandom(SEED);
  const all = Array.from({ length: EXCHANGES }, (_, n) => randomExchange(random, `e${n}`));
  const byId = new Map(all.map((exchange) => [exchange.id, exchange]));
  using upstream = startUpstream(byId);
  using proxy = startProxyTo(upstream.origin);
  const queue = all.values();
  const worker = async (): Promise<void> => {
    for (const exchange of queue) {
      const received = await send(proxy.port, exchange);
      check(exchange, upstream.received.get(exchange.id) ?? [], received);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker)).catch((error: unknown) => {
    throw new Error(`With FUZZ_SEED=${SEED}: ${String(error)}`, { cause: error });
  });
  await until("all leases have ended", () => proxy.backend.inFlight === 0);
  const broken = all.filter(({ breakOff }) => breakOff !== undefined).length;
  proxy.brokenAnswers.flush();
  const told = proxy.log.lines.filter(({ message }) => message === "answers broken off");
  expect(told.reduce((sum, { answers }) => sum + Number(answers), 0)).toBe(broken);
}, 120_000);
