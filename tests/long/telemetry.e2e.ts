/** The compiled binary that reports 100,000 requests: its memory stays where it is. */
import { expect, test } from "bun:test";
import { startCompiledTelemetry } from "../support/compiled-telemetry.ts";
import { sendMany } from "../support/many-requests.ts";
import { residentMib } from "../support/process-figures.ts";

const REQUESTS = 100_000;
const WARM_UP = 20_000;
const STEPS = 10;

test.each<[what: string, answer: () => Response | Promise<Response>]>([
  ["is well", () => new Response()],
  ["is down", () => new Response("down", { status: 503 })],
  ["never answers", () => new Promise<Response>(() => undefined)],
])(
  "100,000 requests to a collector that %s: memory is flat",
  async (_what, answer) => {
    await using run = await startCompiledTelemetry();
    run.receiver.answer = answer;
    await sendMany(run.proxy.origin, WARM_UP);
    const before = residentMib(run.proxy.pid);
    const figures: number[] = [];
    for (let step = 0; step < STEPS; step += 1) {
      await sendMany(run.proxy.origin, REQUESTS / STEPS);
      figures.push(Math.round(residentMib(run.proxy.pid)));
    }
    console.log(`after ${WARM_UP}: ${before.toFixed(0)} MiB; then ${figures.join(", ")}`);
    // What is queued and being sent is bounded, and the collector of garbage takes its time.
    expect(Math.max(...figures.slice(STEPS / 2))).toBeLessThan(before + 48);
  },
  300_000,
);
