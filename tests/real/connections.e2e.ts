/**
 * The connections of the real llama.cpp, which closes each after 5 s of silence and after 100 requests, and the
 * compiled binary, which uses them again: no request is lost on one that is just closing.
 */
import { expect, test } from "bun:test";
import { chat } from "../support/client/requests.ts";
import { useLlamaStage } from "../support/llama-cpp/stage.ts";

const CLIENTS = 12;
const KEEP_ALIVE_MS = 5_000;
const TIMEOUT_MS = 240_000;
const SHORT = { max_tokens: 1, cache_prompt: false };

const llama = useLlamaStage("chat");

/** What came, and how often. */
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
  "more requests than a connection may have, one after the other and side by side",
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
        // The very thing to test is a request at the moment when the server closes: from 6 ms before it to 5 after.
        await Bun.sleep(KEEP_ALIVE_MS - CLIENTS / 2 + client);
      }
    });
    expect(Object.keys(tally)).toEqual([expect.stringMatching(/^200 "content":"/)]);
  },
  TIMEOUT_MS,
);
