/**
 * The cost of telemetry: CPU time of the compiled binary for a request, with telemetry off, with metrics
 * to scrape, and with traces and metrics that are sent, for small JSON and for a stream of 200
 * pieces. `bun run build && bun tests/bench/telemetry.ts [binary …]`: it measures other binaries
 * with telemetry off in the same rounds, for comparison.
 */

import { sendMany } from "../support/client/many.ts";
import { cpuMs, residentMib } from "../support/process/figures.ts";
import {
  type CompiledTelemetry,
  startCompiledTelemetry,
} from "../support/proxy/compiled-telemetry.ts";

const ROUNDS = 5;
const PIECES = 200;

type Kind = { readonly name: string; readonly requests: number; readonly answer: () => Response };

const KINDS: readonly Kind[] = [
  {
    name: "small JSON",
    requests: 5_000,
    answer: () => Response.json({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 5 } }),
  },
  { name: `stream of ${PIECES}`, requests: 100, answer: stream },
];

function stream(): Response {
  const pieces = async function* (): AsyncGenerator<string> {
    for (let piece = 0; piece < PIECES; piece += 1) {
      yield 'data: {"choices":[{"delta":{"content":"word"}}]}\n\n';
      await Bun.sleep(0); // so that each piece is sent by itself
    }
    yield 'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}\n\ndata: [DONE]\n\n';
  };
  return new Response(pieces(), { headers: { "content-type": "text/event-stream" } });
}

type Mode = {
  readonly name: string;
  readonly env: (origin: string) => Readonly<Record<string, string>>;
  readonly binary?: string;
};

const MODES: readonly Mode[] = [
  { name: "off", env: () => ({}) },
  { name: "PROXY_METRICS", env: () => ({ PROXY_METRICS: "true" }) },
  {
    name: "OTLP, 1 trace in 100",
    env: (origin) => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: origin,
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.01",
    }),
  },
  { name: "OTLP, all traces", env: (origin) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: origin }) },
  ...process.argv.slice(2).map((binary) => ({ name: binary, env: () => ({}), binary })),
];

/** One after another in each round, so that other load on the machine affects all alike. */
async function measure({ name, requests, answer }: Kind): Promise<void> {
  const runs: { mode: Mode; run: CompiledTelemetry; us: number[] }[] = [];
  for (const mode of MODES) {
    const run = await startCompiledTelemetry(mode.env, answer, mode.binary);
    await sendMany(run.proxy.origin, requests); // until the code is compiled and warm
    runs.push({ mode, run, us: [] });
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { run, us } of runs) {
      const before = cpuMs(run.proxy.pid);
      await sendMany(run.proxy.origin, requests);
      us.push(((cpuMs(run.proxy.pid) - before) * 1000) / requests);
    }
  }
  console.log(`\n${name}: CPU time of a request, µs (least and median of ${ROUNDS} × ${requests})`);
  for (const { mode, run, us } of runs) {
    const sorted = us.sort((a, b) => a - b);
    const [least, median] = [sorted[0] ?? 0, sorted[Math.floor(ROUNDS / 2)] ?? 0];
    const resident = residentMib(run.proxy.pid).toFixed(0);
    const figures = [least, median].map((figure) => figure.toFixed(0).padStart(6)).join("");
    console.log(`${mode.name.padEnd(24)}${figures}   ${resident} MiB`);
    await run[Symbol.asyncDispose]();
  }
}

for (const kind of KINDS) await measure(kind);
process.exit(0);
