/**
 * `npm run soak [-- --minutes 10 --seed 1]`: the compiled proxy in front of containers of a real engine that
 * start, stop, crash, turn unhealthy and come back at random, under constant streaming load. It ends with one
 * table, and with exit code 1 if anything was wrong.
 *
 * What was right is judged afterwards, by the engine's events and by what the servers wrote down. The engine
 * (DOCKER_HOST) must be on this machine: the servers write into a folder of it. The seed fixes what is chosen;
 * when it happens depends on the machine.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { JOURNALS, soak } from "./soak.ts";

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    process.stderr.write("usage: npm run soak [-- --minutes 10 --seed 1]\n");
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), "lw-soak-"));
  mkdirSync(join(folder, JOURNALS));
  const isRight = await soak({ ...options, folder });
  if (isRight) rmSync(folder, { recursive: true });
  else process.stdout.write(`what it saw is in ${folder}\n`);
  return isRight ? 0 : 1;
}

function readOptions(): { readonly minutes: number; readonly seed: number } | undefined {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: "string", default: "10" },
        seed: { type: "string", default: "1" },
      },
    });
    const minutes = Number(values.minutes);
    const seed = Number(values.seed);
    return minutes > 0 && Number.isInteger(seed) ? { minutes, seed } : undefined;
  } catch {
    return undefined;
  }
}

process.exit(await main());
