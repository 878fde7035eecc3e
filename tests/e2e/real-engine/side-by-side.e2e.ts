/** Two compiled binaries on one real engine see the same changes at the same time. */
import { expect, test } from "bun:test";
import { modelIds, streamedChat } from "../../support/client/requests.ts";
import { startEachTestWithoutServers } from "../../support/engine/each-test.ts";
import { startProxy, startServer } from "../../support/engine/real.ts";
import type { CompiledProxy } from "../../support/proxy/compiled.ts";
import { apartMs } from "../../support/proxy/side-by-side.ts";
import { dockerCli } from "../../support/server/inference-server/image.ts";
import { within } from "../../support/until.ts";

/** The longest time between the same step in both proxies, ms. */
const APART_MS = 100;

function hasModels(expected: string): (proxy: CompiledProxy) => Promise<boolean> {
  return async ({ origin }) => (await modelIds(origin)).join() === expected;
}

startEachTestWithoutServers();

test("two proxies list a container's models, and drain it, at the same time", async () => {
  await using one = await startProxy();
  await using two = await startProxy();
  const both = [one, two] as const;
  for (let round = 0; round < 2; round += 1) {
    const env = { MODELS: "m", TERM_MODE: "drain" };
    const server = await startServer({ env, flags: ["--health-interval", "200ms"] });
    expect(await apartMs(both, "m is listed", hasModels("m"))).toBeLessThan(APART_MS);
    const streams = await Promise.all(
      both.map(({ origin }) => streamedChat(origin, "m", { tokens: 40, token_delay_ms: 20 })),
    );
    const stopped = dockerCli("stop", "--time", "10", server.name);
    expect(await apartMs(both, "nothing is", hasModels(""))).toBeLessThan(APART_MS);
    const ends = streams.map(({ end }) => end);
    expect(await within("both answers", Promise.all(ends), 10_000)).toEqual([
      "complete",
      "complete",
    ]);
    await stopped;
  }
}, 60_000);
