/**
 * `npm run soak [-- --minutes 10 --seed 1]`: the compiled proxy in front of containers of a real engine that
 * start, stop, crash, become unhealthy and come back at random, under a constant streaming load. It ends with
 * one table. The exit code is 1 if anything was wrong.
 *
 * The soak judges the answers at the end, from the engine's events and from the requests that the servers
 * recorded. The engine (DOCKER_HOST) must be on this machine, because the servers write into a local folder.
 * The seed fixes the choices. Their times depend on the machine.
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
  else process.stdout.write(`all records are in ${folder}\n`);
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
