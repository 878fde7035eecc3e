/**
 * One replay of recordings, and the rules for the routing table during and after it. For the played world see
 * world.ts.
 */
import { readModels } from "../../../src/fleet/models.ts";
import type { Backend } from "../../../src/routing/backend.ts";
import { seededRandom } from "../client/random-json.ts";
import { FakeEngine } from "../engine/fake.ts";
import type { FakeContainer } from "../engine/replies.ts";
import { type Discovery, startDiscovery } from "../proxy/discovery.ts";
import type { WatchedTable } from "../proxy/watched-table.ts";
import { until } from "../until.ts";
import { isRunOf, ReplayClients, Told } from "./clients.ts";
import type { Host } from "./host.ts";
import { ReplayWorld } from "./world.ts";

/** The container of the very last event. It is unknown to the proxy. */
const LAST = "f".repeat(64);
/** The length of an occasional pause, so that healthy containers are in use when the replay continues. */
const CALM_MS = 60;
/** Longer than any read of models with its retries. */
const SETTLED_BOUND_MS = 15_000;

type Run = {
  readonly world: ReplayWorld;
  readonly told: Told;
  readonly discovery: Discovery;
  readonly clients: ReplayClients;
  readonly wrong: string[];
};

/** @returns the violated rules; empty if there are none */
export async function replay(
  seed: number,
  host: Host,
  names: readonly string[],
): Promise<readonly string[]> {
  const random = seededRandom(seed + 3_000_000);
  const isShort = random(4) === 0;
  const drainTimeoutMs = isShort ? 20 + random(60) : 60_000;
  const stopTimeoutS = isShort ? 0.02 + random(100) / 500 : 10;
  using fake = await new FakeEngine().start();
  const world = new ReplayWorld({ seed, fake, host, names, stopTimeoutS });
  const lapseMs = Math.max(drainTimeoutMs, stopTimeoutS * 1000);
  const told = new Told(lapseMs);
  const startAfter = random(4);
  for (const step of world.steps.slice(0, startAfter)) await world.play(step);
  using discovery = startDiscovery(fake, {
    drainTimeoutMs,
    lookPaceMs: random(3) * 4,
    onDelivered: told.hear,
    readModels: (url, signal) => {
      clients.judgeRead(url);
      return readModels(url, signal);
    },
  });
  const clients = new ReplayClients(seed, { world, table: discovery.table, told });
  const run: Run = { world, told, discovery, clients, wrong: [] };
  for (const step of world.steps.slice(startAfter)) {
    await world.play(step);
    for (let n = random(4); n > 0; n -= 1) clients.request();
    if (random(3) === 0) await until("", () => lacking(run).length === 0, CALM_MS).catch(() => 0);
    if (random(25) === 0) await checkAfterResync(run);
  }
  await end(run, fake, isShort);
  return [...run.wrong, ...clients.objections];
}

/**
 * Checks the table at the end, four times: when all events have arrived; when the cut stream is open again,
 * which alone must repair everything; when the stop notices have lapsed; and when all containers are gone.
 */
async function end(run: Run, fake: FakeEngine, noticesLapse: boolean): Promise<void> {
  const { world, told, clients, discovery } = run;
  await until("all events are sent or lost", () => world.isTold);
  for (const _ of world.modelIds) clients.request();
  if (world.isCutAtTheEnd) await checkAfterCut(run, fake);
  await checkAfterResync(run);
  await checkComplete(run);
  if (noticesLapse) {
    const isStopping = ({ id, startedAtMs }: FakeContainer): boolean =>
      told.isStopping(id, startedAtMs);
    await until("every notice has lapsed", () => !world.containers.some(isStopping));
    await checkComplete(run);
  }
  await until("the stream is open", () => fake.streamCount === 1);
  await checkComplete(run);
  for (const _ of world.modelIds) clients.request();
  clients.count();
  fake.containers.clear();
  await checkAfterResync(run);
  if (discovery.table.backends.size > 0) run.wrong.push("backends without a container are left");
  await clients.finish();
}

/** Cuts the stream. The engine replays its events, and the proxy must find everything that it missed. */
async function checkAfterCut(run: Run, fake: FakeEngine): Promise<void> {
  run.world.isFaulty = false;
  fake.cutStreams();
  fake.emitNetwork({ id: LAST }, "connect");
  await until(
    "the engine has sent all events again",
    () => run.told.hasHeardOf(LAST),
    SETTLED_BOUND_MS,
  );
  const isRight = (): boolean => objections(run).length === 0 && lacking(run).length === 0;
  await until("a new stream has repaired the table", isRight, SETTLED_BOUND_MS).catch(() => {
    run.wrong.push(...objections(run), ...lacking(run));
  });
}

/** After a resync the table must have no wrong backend, whichever events were lost. */
async function checkAfterResync(run: Run): Promise<void> {
  run.world.isFaulty = false;
  await run.discovery.docker.resync();
  run.wrong.push(...objections(run));
  run.clients.count();
  run.world.isFaulty = true;
}

function objections(run: Run): readonly string[] {
  return [...run.discovery.table.backends].flatMap((backend) => {
    const reason = objectionTo(backend, run);
    return reason === undefined ? [] : [`${backend.state} at ${backend.origin}: ${reason}`];
  });
}

function objectionTo(backend: Backend, { world, told }: Run): string | undefined {
  const container = world.containers.find(({ id }) => id === backend.run.id);
  if (container === undefined) return "there is no such container";
  if (!isRunOf(backend, container)) return `that run is over: ${container.status}`;
  if (backend.state !== "active") return undefined;
  if (told.isStopping(container.id, container.startedAtMs, -5)) return "it is being stopped";
  if (container.status === "paused") return "it is paused";
  if (container.health === "unhealthy") return "it is unhealthy";
  const { hostname } = new URL(backend.origin);
  return hostname === container.ipAddress ? undefined : `its address is ${container.ipAddress}`;
}

/** Waits until the table is complete. The proxy may have to read models more than once. */
async function checkComplete(run: Run): Promise<void> {
  run.world.isFaulty = false;
  try {
    await until("the table is complete", () => lacking(run).length === 0, SETTLED_BOUND_MS);
  } catch {
    run.wrong.push(...lacking(run));
  }
  run.world.isFaulty = true;
}

function lacking({ world, told, discovery: { table } }: Run): readonly string[] {
  const routable = world.containers.filter(
    ({ id, status, health, startedAtMs }) =>
      status === "running" && health === "healthy" && !told.isStopping(id, startedAtMs),
  );
  const lacks = routable
    .filter((container) => !isServed(container, world.modelsOf(container), table))
    .map(
      ({ ipAddress }) =>
        `the container at ${ipAddress} is healthy, but the table does not serve it correctly`,
    );
  const expected = [...new Set(routable.flatMap((container) => world.modelsOf(container)))].sort();
  const listed = table.models.map(({ id }) => id);
  if (listed.join() !== expected.join())
    lacks.push(`the table lists ${listed} instead of ${expected}`);
  return lacks;
}

/** Whether exactly one active backend serves the container, with the container's models. */
function isServed(
  { id, ipAddress }: FakeContainer,
  models: readonly string[],
  table: WatchedTable,
): boolean {
  const active = [...table.backends].filter(
    ({ run, state }) => run.id === id && state === "active",
  );
  const [backend] = active;
  if (backend === undefined || active.length > 1) return false;
  const served = backend.models.map((model) => model.id);
  return backend.origin.startsWith(`http://${ipAddress}:`) && served.join() === models.join();
}
