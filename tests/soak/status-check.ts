/** Compares `GET /status` and `GET /v1/models` with `docker inspect`, at a time when no change is due. */
import type { ContainerStatus } from "../../src/status.ts";
import { modelIds } from "../support/client/requests.ts";
import { until } from "../support/until.ts";
import type { EngineEvent } from "./engine-events.ts";
import { type Fleet, type Inspected, SLOTS } from "./fleet.ts";

type Row = {
  readonly name: string;
  readonly id: string;
  readonly state: string;
  /** Null if the container is not routed. */
  readonly address: string | null;
  readonly models: string;
};

/** Longer than the interval of the probes. */
const QUIET_MS = 3_000;
const QUIET_BOUND_MS = 60_000;

/** Waits until no container is about to change, according to the engine. */
export async function untilQuiet(fleet: Fleet, events: readonly EngineEvent[]): Promise<void> {
  await until(
    "the engine is quiet",
    async () => {
      await Bun.sleep(200); // so that the checks do not keep the engine busy
      if (Date.now() - (events.at(-1)?.atMs ?? 0) < QUIET_MS) return false;
      const containers = await fleet.inspect();
      return containers.every(({ status, health }) => !isTransient(status, health));
    },
    QUIET_BOUND_MS,
  );
}

/** @returns one line for each difference */
export async function statusFaults(origin: string, fleet: Fleet): Promise<readonly string[]> {
  const expected = (await fleet.inspect()).map(expectedRow);
  const reply = (await (await fetch(`${origin}/status`)).json()) as {
    readonly containers: readonly ContainerStatus[];
  };
  const listed = await modelIds(origin);
  const names = new Set(SLOTS.map(({ name }) => name));
  const actual = reply.containers.filter(({ name }) => names.has(name)).map(actualRow);
  const routed = expected.filter(({ state }) => state === "routed");
  const models = [...new Set(routed.flatMap((row) => row.models.split(",")))].sort();
  return [
    ...differences(expected, actual),
    ...(listed.join() === models.join()
      ? []
      : [`GET /v1/models has ${listed.join()}, the engine shows ${models.join()}`]),
  ];
}

function isTransient(status: string, health: string): boolean {
  return (
    status === "restarting" ||
    status === "removing" ||
    (status === "running" && health === "starting")
  );
}

function expectedRow({ id, name, status, health, address }: Inspected): Row {
  const state = stateOf(status, health);
  const routed = state === "routed";
  return {
    name,
    id,
    state,
    address: routed ? `http://${address}:8000` : null,
    models: routed ? (SLOTS.find((slot) => slot.name === name)?.models ?? []).join() : "",
  };
}

function stateOf(status: string, health: string): string {
  if (status === "paused") return "paused";
  if (status !== "running") return "stopped";
  return health === "healthy" ? "routed" : health;
}

function actualRow({ id, name, state, address, models }: ContainerStatus): Row {
  const routed = state === "routed";
  return { name, id, state, address: routed ? address : null, models: models.join() };
}

function differences(expected: readonly Row[], actual: readonly Row[]): readonly string[] {
  const words = ({ name, id, state, address, models }: Row): string =>
    `${name} ${id.slice(0, 12)} ${state} ${address ?? "-"} [${models}]`;
  const isIn = (rows: readonly Row[]) => (text: string) => rows.some((row) => words(row) === text);
  return [
    ...expected
      .map(words)
      .filter((text) => !isIn(actual)(text))
      .map((text) => `engine: ${text}`),
    ...actual
      .map(words)
      .filter((text) => !isIn(expected)(text))
      .map((text) => `/status: ${text}`),
  ];
}
