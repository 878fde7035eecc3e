/**
 * The CPU time of a request through the compiled binary, compared with the smallest possible proxy on Bun. Both
 * are measured in turn in the same run, so the ratio is the same on slow and on busy machines. The test fails
 * when the ratio has about doubled. `bun run bench` measures more.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { FLOOD_PATH, JSON_PATH, MODEL, padded } from "../../bench/answers.ts";
import { cpuSeconds } from "../../bench/processes.ts";
import { startProcess, startUpstream } from "../../bench/targets.ts";
import { untilModels } from "../../support/client/requests.ts";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import { startCompiled } from "../../support/proxy/compiled.ts";

const REFERENCE = join(import.meta.dir, "../../bench/reference-proxy.ts");
const CLIENTS = 16;
const ROUNDS = 8;
/** The highest ratio that passes, as a share of the stored ratio. */
const LIMIT = 1.75;

type Measured = { readonly origin: string; readonly pid: number };

const body = padded({ model: MODEL, messages: [] }, 200);

/** @returns CPU seconds */
async function cpuOf({ origin, pid }: Measured, path: string, requests: number): Promise<number> {
  const before = cpuSeconds([pid]);
  let left = requests;
  const client = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const response = await fetch(origin + path, { method: "POST", body });
      await response.bytes();
      expect(response.status).toBe(200);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return cpuSeconds([pid]) - before;
}

test.each<[what: string, path: string, requests: number, stored: number]>([
  ["a small request", JSON_PATH, 2_000, 1.6],
  ["an answer of 200 events", FLOOD_PATH, 1_000, 0.95],
])("%s costs no more CPU time than before", async (what, path, requests, stored) => {
  using engine = await new FakeEngine().start();
  await using upstream = await startUpstream();
  engine.add({ port: upstream.port });
  await using compiled = await startCompiled({ env: envOf(engine) });
  const env = { UPSTREAM: `http://127.0.0.1:${upstream.port}` };
  await using reference = await startProcess(REFERENCE, env);
  await untilModels(compiled.origin, [MODEL]);
  const others = { origin: `http://127.0.0.1:${reference.port}`, pid: reference.pid };

  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    ours.push(await cpuOf(compiled, path, requests));
    theirs.push(await cpuOf(others, path, requests));
  }
  // The first round warms up the compilers inside. The best of the other rounds is the one with the least
  // disturbance.
  const ratio = Math.min(...ours.slice(1)) / Math.min(...theirs.slice(1));
  console.log(`${what}: ${ratio.toFixed(2)} times the reference; ${stored} is stored`);
  expect(ratio).toBeLessThan(stored * LIMIT);
});
