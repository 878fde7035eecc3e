/** A client that hangs up through the compiled binary ends its request at the real llama.cpp, in every phase. */
import { expect, test } from "bun:test";
import { type RawConnection, rawConnect } from "../../support/client/raw-http.ts";
import { logOf } from "../../support/llama-cpp/containers.ts";
import { useLlamaStage } from "../../support/llama-cpp/stage.ts";
import { until } from "../../support/until.ts";

/** A request that never ends by itself: see the flags of the server. */
const ENDLESS = {
  model: "chat",
  messages: [{ role: "user", content: "hello" }],
  max_tokens: 1_000_000,
};
/** llama.cpp checks once a second whether the client of an answer without a stream is still there. */
const FREED_BOUND_MS = 10_000;

const llama = useLlamaStage("chat");

async function busySlots(): Promise<number> {
  const response = await fetch(`${await llama.servers.chat.origin()}/slots`, { keepalive: false });
  const slots = (await response.json()) as readonly { readonly is_processing: boolean }[];
  return slots.filter(({ is_processing }) => is_processing).length;
}

function untilBusy(count: number): Promise<void> {
  return until(
    `${count} slots are busy`,
    async () => (await busySlots()) === count,
    FREED_BOUND_MS,
  );
}

/** The number of requests that wait for a slot. */
async function deferred(): Promise<number> {
  const response = await fetch(`${await llama.servers.chat.origin()}/metrics`, {
    keepalive: false,
  });
  return Number(/^llamacpp:requests_deferred (\d+)$/m.exec(await response.text())?.[1]);
}

/** How many cancelled requests the server has logged. */
async function cancelled(): Promise<number> {
  return (await logOf(llama.servers.chat)).split("cancel task").length - 1;
}

/** @param before the count before the client hung up */
async function expectCancelled(before: number, times = 1): Promise<void> {
  const isSaid = async (): Promise<boolean> => (await cancelled()) === before + times;
  await until("the server says that it cancels the request", isSaid, FREED_BOUND_MS);
}

/** Sends a request that only a hang-up ends. */
async function ask(stream: boolean): Promise<RawConnection> {
  const connection = await rawConnect(Number(new URL(llama.origin).port));
  const body = JSON.stringify({ ...ENDLESS, stream });
  const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}`;
  connection.send(`${head}\r\n\r\n${body}`);
  return connection;
}

/** The number of requests that the proxy has sent to servers and that still wait for the end of their answers. */
async function inFlight(): Promise<number> {
  const status = await fetch(`${llama.origin}/status`, { keepalive: false });
  return ((await status.json()) as { readonly in_flight: number }).in_flight;
}

test.each(["end", "reset"] as const)(
  "in the middle of a stream: the client's connection ends by %s",
  async (way) => {
    const before = await cancelled();
    using stream = await ask(true);
    await stream.waitFor('"content":');
    stream[way]();
    await expectCancelled(before);
    await untilBusy(0);
  },
);

test("before an answer without a stream", async () => {
  const before = await cancelled();
  using answer = await ask(false);
  await untilBusy(1);
  answer.end();
  await expectCancelled(before);
  await untilBusy(0);
});

// Both slots have requests without streams. While one streams, llama.cpp 0.7.0 does not notice that a waiting
// client hangs up. The same happens without the proxy.
test.each([false, true])(
  "while the request waits for one of the server's two slots; streamed: %p",
  async (stream) => {
    const before = await cancelled();
    using first = await ask(false);
    using second = await ask(false);
    await untilBusy(2);
    using third = await ask(stream);
    await until("the server has deferred it", async () => (await deferred()) === 1);
    third.reset();
    await until("the proxy has ended it", async () => (await inFlight()) === 2);
    await expectCancelled(before);
    expect(await busySlots()).toBe(2);
    for (const connection of [first, second]) connection.end();
    await expectCancelled(before, 3);
    await untilBusy(0);
  },
);
