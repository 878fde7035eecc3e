/** Measurements without traffic: start, memory at rest, and thousands of idle streams. */
import { FakeEngine } from "../support/engine/fake.ts";
import { launchOfOurs } from "./launches.ts";
import { descriptors, memoryMib } from "./processes.ts";
import type { Sample } from "./samples.ts";
import { type Started, start, type Target, type Upstream } from "./targets.ts";
import { ours } from "./workloads.ts";

const CONTAINERS = 20;
const ROUTED_MS = 10_000;
export const IDLE_CLIENTS = 5_000;

/** The memory of a proxy that has just started. */
export function atRest({ listeningAfterMs, pids }: Started): Sample {
  return { listenMs: listeningAfterMs, restMib: memoryMib(pids) };
}

/** Our binary in front of an engine with 20 containers: the time from exec until its list has a model. */
export async function measureRouted(
  binary: { readonly name: string; readonly path: string },
  upstream: Upstream,
  directory: string,
): Promise<Sample> {
  using engine = await new FakeEngine().start();
  for (let n = 0; n < CONTAINERS; n += 1) {
    engine.add({ port: upstream.port, ipAddress: `127.0.0.${n + 2}` });
  }
  const launch = launchOfOurs(binary, engine.socketPath, directory);
  const startedMs = performance.now();
  const routed = firstModel(launch.port, startedMs);
  const target = await start(launch);
  try {
    return { listenMs: target.listeningAfterMs, routedMs: await routed };
  } finally {
    await target.stop();
  }
}

async function firstModel(port: number, startedMs: number): Promise<number> {
  while (performance.now() - startedMs < ROUTED_MS) {
    const list = await fetch(`http://127.0.0.1:${port}/v1/models`, { keepalive: false }).then(
      (response) => response.text(),
      () => "",
    );
    if (list.includes('"id"')) return performance.now() - startedMs;
    await Bun.sleep(1); // a busy loop would take a core from the starting program
  }
  return Number.NaN;
}

/** Memory and descriptors with 5,000 streams open. */
export async function measureIdle(target: Target): Promise<Sample> {
  const load = Bun.spawn([...ours("idle.ts", String(target.port), String(IDLE_CLIENTS))], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = load.stdout.values();
  const { open } = await nextLine(lines);
  const figures = { residentMib: memoryMib(target.pids), descriptors: descriptors(target.pids) };
  void load.stdin.end();
  const { closed } = await nextLine(lines);
  await load.exited;
  return { ...figures, failed: IDLE_CLIENTS - (open ?? 0) + (closed ?? 0) };
}

async function nextLine(
  lines: AsyncIterator<Uint8Array>,
): Promise<Readonly<Record<string, number | undefined>>> {
  const { value } = await lines.next(); // the program writes a line in one piece
  return JSON.parse(Buffer.from(value ?? []).toString()) as Record<string, number>;
}
