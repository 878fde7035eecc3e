/** Runs one soak, from its first container to the table of figures. */

import { join } from "node:path";
import { seededRandom } from "../support/client/random-json.ts";
import { untilModels } from "../support/client/requests.ts";
import { startProxy } from "../support/engine/real.ts";
import { descriptorsOf } from "../support/process/figures.ts";
import type { CompiledProxy } from "../support/proxy/compiled.ts";
import { until } from "../support/until.ts";
import { Chaos, unpauseAll } from "./chaos.ts";
import { type EventFollower, followEvents } from "./engine-events.ts";
import { Fleet, MODELS, removeFleet, removeLeftovers, SLOTS } from "./fleet.ts";
import { readJournals } from "./journals.ts";
import { Load } from "./load.ts";
import { ProcessWatch } from "./process-watch.ts";
import { report } from "./report.ts";
import { statusFaults, untilQuiet } from "./status-check.ts";

export type SoakInit = {
  readonly minutes: number;
  readonly seed: number;
  /** The folder for its records. Must contain an empty folder `JOURNALS`. */
  readonly folder: string;
};

/** The folder in which the servers record their requests. */
export const JOURNALS = "journals";

/** Shorter than the containers' own stop timeout, so that it expires now and then. */
const DRAIN_MS = 6_000;
const CLIENTS = 20;
/** A model that no server ever has. */
const UNKNOWN_MODEL = "unknown";
/** The time from one quiet moment to the next. */
const ROUND_MS = 40_000;
/** The proxy closes its idle connections within this time. */
const IDLE_BOUND_MS = 30_000;

/** @returns whether nothing was wrong */
export async function soak(init: SoakInit): Promise<boolean> {
  const fleet = new Fleet(seededRandom(init.seed), join(init.folder, JOURNALS));
  await removeLeftovers();
  try {
    await using engine = followEvents();
    await using proxy = await startProxy({ PROXY_DRAIN_TIMEOUT: `${DRAIN_MS}ms` });
    say(`seed ${init.seed}, ${init.minutes} minutes; starting ${SLOTS.length} containers …`);
    for (const slot of SLOTS) await fleet.create(slot);
    await untilModels(proxy.origin, [...MODELS].sort(), 60_000);
    return await run(init, { fleet, engine, proxy });
  } finally {
    await removeFleet();
  }
}

type Parts = {
  readonly fleet: Fleet;
  readonly engine: EventFollower;
  readonly proxy: CompiledProxy;
};

async function run(init: SoakInit, parts: Parts): Promise<boolean> {
  const { fleet, engine, proxy } = parts;
  const descriptorsBefore = descriptorsOf(proxy.pid);
  const watch = new ProcessWatch(proxy.pid);
  const load = new Load({
    origin: proxy.origin,
    models: [...MODELS, UNKNOWN_MODEL],
    clients: CLIENTS,
    random: (client) => seededRandom(init.seed * 1_000 + client + 1),
  });
  const chaos = new Chaos({
    fleet,
    random: seededRandom(init.seed * 1_000),
    onCrash: (containerId, atMs) => engine.add(containerId, "crash", atMs),
  });
  const endMs = Date.now() + init.minutes * 60_000;
  const faults: string[] = [];
  let checks = 0;
  while (Date.now() < endMs) {
    await chaos.runUntil(Math.min(Date.now() + ROUND_MS, endMs));
    await untilQuiet(fleet, engine.events);
    const found = await statusFaults(proxy.origin, fleet);
    faults.push(...found);
    checks += 1;
    const leftS = Math.max(0, (endMs - Date.now()) / 1_000).toFixed(0);
    say(`${leftS} s left: ${load.exchanges.length} requests, ${found.length} faults in /status`);
  }
  watch.stop();
  await unpauseAll();
  await load.stop();
  faults.push(...(await restFaults(proxy, descriptorsBefore)));
  await record(init.folder, {
    events: engine.events,
    exchanges: load.exchanges,
    members: [...fleet.members.values()],
    log: proxy.log(),
  });
  return report({
    fleet,
    chaos,
    watch,
    events: engine.events,
    exchanges: load.exchanges,
    deliveries: readJournals(join(init.folder, JOURNALS)),
    drainMs: DRAIN_MS,
    statusChecks: checks,
    faults,
    descriptors: [descriptorsBefore, descriptorsOf(proxy.pid)],
    proxyStderr: proxy.stderr(),
    proxyLog: proxy.log(),
  });
}

/** Checks what the proxy still holds when no requests are left. */
async function restFaults(proxy: CompiledProxy, descriptorsBefore: number): Promise<string[]> {
  const inFlight = async (): Promise<number> => {
    const reply = await fetch(`${proxy.origin}/status`, { keepalive: false });
    const { containers } = (await reply.json()) as {
      readonly containers: readonly { readonly in_flight: number }[];
    };
    return containers.reduce((sum, container) => sum + container.in_flight, 0);
  };
  const faults: string[] = [];
  await until("no request is in flight", async () => (await inFlight()) === 0, 5_000).catch(
    (error: unknown) => void faults.push(String(error)),
  );
  await until(
    `the descriptors are closed (${descriptorsBefore} before)`,
    () => descriptorsOf(proxy.pid) <= descriptorsBefore + 2,
    IDLE_BOUND_MS,
  ).catch((error: unknown) => void faults.push(String(error)));
  return faults;
}

/** One file for each, with one JSON object a line. */
async function record(
  folder: string,
  seen: Readonly<Record<string, readonly unknown[]>>,
): Promise<void> {
  for (const [name, all] of Object.entries(seen)) {
    const lines = all.map((each) => `${JSON.stringify(each)}\n`);
    await Bun.write(join(folder, `${name}.ndjson`), lines.join(""));
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
