/**
 * What llama.cpp does when it is told to stop, and what its clients then see through the compiled binary. The README
 * says it as measured with 0.7.0: where another version differs, this fails, and the README has to say so.
 */
import { expect, test } from "bun:test";
import { modelIds, post, streamedChat } from "../support/client/requests.ts";
import { type Server, startProxy } from "../support/engine/real.ts";
import { logOf, startLlama } from "../support/llama-cpp/containers.ts";
import { untilListed, useLlamaStage } from "../support/llama-cpp/stage.ts";
import { dockerCli } from "../support/server/inference-server/image.ts";
import { expectNever, until, within } from "../support/until.ts";

const QUESTION = { messages: [{ role: "user", content: "hello" }], max_tokens: 1_000_000 };
/** `docker stop --time`. */
const GRACE_S = 8;
const TIMEOUT_MS = 90_000;

const llama = useLlamaStage("router");

/** How long `docker stop` takes, s. */
async function stop(name: string): Promise<number> {
  const startMs = performance.now();
  await dockerCli("stop", "--time", String(GRACE_S), name);
  return (performance.now() - startMs) / 1_000;
}

test(
  "nobody asks for anything: it exits at once",
  async () => {
    const { name } = await startLlama("chat");
    await untilListed(llama.origin, ["chat"]);
    expect(await stop(name)).toBeLessThan(GRACE_S / 2);
  },
  TIMEOUT_MS,
);

test(
  "a stream and a whole answer: nothing more comes, both hang until it is killed, and neither looks complete",
  async () => {
    const { name } = await startLlama("chat");
    await untilListed(llama.origin, ["chat"]);
    const { text, end } = await streamedChat(llama.origin, "chat", QUESTION);
    const whole = post(llama.origin, "/v1/chat/completions", { model: "chat", ...QUESTION });
    await until("both are at the server", async () => {
      const status = await fetch(`${llama.origin}/status`, { keepalive: false });
      return ((await status.json()) as { readonly in_flight: number }).in_flight === 2;
    });
    const stopped = stop(name);
    await until("it does no more", async () => {
      const before = text();
      await Bun.sleep(500); // longer than from one token to the next
      return text() === before;
    });
    const silent = text();
    await expectNever("something comes", () => text() !== silent, (GRACE_S - 4) * 1_000);
    expect(await within("the stream's end", end, 20_000)).toStartWith("broken off");
    expect(await stopped).toBeWithin(GRACE_S - 1, GRACE_S + 5);
    expect((await within("the other's end", whole)).status).toBe(502);
  },
  TIMEOUT_MS,
);

// It then exits, but not always: it runs its signal handler in the middle of its own work, and of 50 it was told to stop
// in the middle of a stream 5 hung until they were killed (measured, 0.7.0; directly as often as through the proxy).
test(
  "a stream whose client goes: the server hears of it while it stops",
  async () => {
    const server = await startLlama("chat");
    await untilListed(llama.origin, ["chat"]);
    const { cancel } = await streamedChat(llama.origin, "chat", QUESTION);
    const stopped = stop(server.name);
    await until("it is told to stop", async () => !(await modelIds(llama.origin)).includes("chat"));
    cancel();
    await untilCancelled(server);
    await stopped;
  },
  TIMEOUT_MS,
);

test(
  "PROXY_DRAIN_TIMEOUT=1s: the proxy cuts the stream, and the server hears of it while it stops",
  async () => {
    await using proxy = await startProxy({ PROXY_DRAIN_TIMEOUT: "1s" });
    const server = await startLlama("chat");
    await untilListed(proxy.origin, ["chat"]);
    const { end } = await streamedChat(proxy.origin, "chat", QUESTION);
    const stopped = stop(server.name);
    expect(await within("the stream's end", end, 4_000)).toStartWith("broken off");
    await untilCancelled(server);
    await stopped;
  },
  TIMEOUT_MS,
);

/** Before its time is up. It looks once a second. */
async function untilCancelled(server: Server): Promise<void> {
  const isSaid = async (): Promise<boolean> => (await logOf(server)).includes("cancel task");
  await until("the server says that it cancels the request", isSaid, (GRACE_S - 3) * 1_000);
}
