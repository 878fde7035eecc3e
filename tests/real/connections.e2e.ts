/**
 * The real llama.cpp closes each connection after 5 s of silence and after 100 requests. The compiled binary
 * reuses these connections, and must lose no request on a connection that is just closing.
 */
import { expect, test } from "bun:test";
import { chat } from "../support/client/requests.ts";
import { useLlamaStage } from "../support/llama-cpp/stage.ts";

const CLIENTS = 12;
const KEEP_ALIVE_MS = 5_000;
const TIMEOUT_MS = 240_000;
const SHORT = { max_tokens: 1, cache_prompt: false };

const llama = useLlamaStage("chat");

/** The outcomes, and the number of each. */
type Tally = Record<string, number>;

async function ask(tally: Tally): Promise<void> {
  const response = await chat(llama.origin, "chat", SHORT);
  const text = await response.text();
  const content = /"content":"[^"]*"/.exec(text)?.[0] ?? text;
  const what = `${response.status} ${content}`;
  tally[what] = (tally[what] ?? 0) + 1;
}

async function eachClient(run: (client: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: CLIENTS }, (_, client) => run(client)));
}

test(
  "more requests than llama.cpp accepts on a connection, one after another and in parallel",
  async () => {
    const tally: Tally = {};
    for (let count = 0; count < 250; count += 1) await ask(tally);
    await eachClient(async () => {
      for (let count = 0; count < 60; count += 1) await ask(tally);
    });
    expect(Object.keys(tally)).toEqual([expect.stringMatching(/^200 "content":"/)]);
    expect(Object.values(tally)).toEqual([250 + CLIENTS * 60]);
  },
  TIMEOUT_MS,
);

test(
  "pauses as long as the server's keep-alive, give or take a few ms",
  async () => {
    const tally: Tally = {};
    await eachClient(async (client) => {
      for (let round = 0; round < 4; round += 1) {
        await ask(tally);
        // Tests a request at the moment when the server closes: from 6 ms before to 5 ms after.
        await Bun.sleep(KEEP_ALIVE_MS - CLIENTS / 2 + client);
      }
    });
    expect(Object.keys(tally)).toEqual([expect.stringMatching(/^200 "content":"/)]);
  },
  TIMEOUT_MS,
);
