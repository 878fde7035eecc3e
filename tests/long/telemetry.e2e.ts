/** The compiled binary reports 180,000 requests to a collector, and its memory does not grow. */
import { expect, test } from "bun:test";
import { sendMany } from "../support/client/many.ts";
import { residentMib } from "../support/process/figures.ts";
import { startCompiledTelemetry } from "../support/proxy/compiled-telemetry.ts";

const WARM_UP = 20_000;
const STEPS = 10;

test.each<[requests: number, what: string, answer: () => Response | Promise<Response>]>([
  [100_000, "is well", () => new Response()],
  [40_000, "is down", () => new Response("down", { status: 503 })],
  [40_000, "never answers", () => new Promise<Response>(() => undefined)],
])(
  "%d requests with a collector that %s: memory stays flat",
  async (requests, _what, answer) => {
    await using run = await startCompiledTelemetry();
    run.receiver.answer = answer;
    await sendMany(run.proxy.origin, WARM_UP);
    const before = residentMib(run.proxy.pid);
    const figures: number[] = [];
    for (let step = 0; step < STEPS; step += 1) {
      await sendMany(run.proxy.origin, requests / STEPS);
      figures.push(Math.round(residentMib(run.proxy.pid)));
    }
    console.log(`after ${WARM_UP}: ${before.toFixed(0)} MiB; then ${figures.join(", ")}`);
    // The queue and the exports in flight are bounded, but memory is freed late.
    expect(Math.max(...figures.slice(STEPS / 2))).toBeLessThan(before + 48);
  },
  300_000,
);
