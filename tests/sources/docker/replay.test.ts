import { expect, test } from "bun:test";
import { type Host, startHost } from "../../support/replay/host.ts";
import { recordingNames } from "../../support/replay/recordings.ts";
import { replay } from "../../support/replay/run.ts";

const RUNS = 2_000;
const AT_ONCE = 64;
/** One seed, to repeat a failed run. */
const ONLY = process.env["REPLAY_SEED"];

/** Each run has its own addresses, and reports its seed. */
async function replayAll(seeds: readonly number[]): Promise<readonly string[]> {
  const names = recordingNames();
  const rest = [...seeds];
  const wrong: string[] = [];
  const work = async (host: Host): Promise<void> => {
    for (let seed = rest.shift(); seed !== undefined; seed = rest.shift()) {
      const found = await replay(seed, host, names).catch((error: unknown) => [String(error)]);
      wrong.push(...found.map((text) => `REPLAY_SEED=${seed}: ${text}`));
    }
  };
  const hosts = Array.from({ length: Math.min(AT_ONCE, seeds.length) }, (_, n) => startHost(n));
  try {
    await Promise.all(hosts.map(work));
  } finally {
    for (const host of hosts) host[Symbol.dispose]();
  }
  return wrong;
}

test("shuffled, thinned, doubled and cut recordings: the table agrees with the engine", async () => {
  const seeds = Array.from({ length: RUNS }, (_, n) => n + 1);
  expect(await replayAll(ONLY === undefined ? seeds : [Number(ONLY)])).toEqual([]);
}, 300_000);
