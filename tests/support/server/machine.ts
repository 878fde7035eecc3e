/** A server whose machine comes and goes, and a fleet. The test gives the fleet its sightings. */
import { Fleet, type FleetInit } from "../../../src/fleet/fleet.ts";
import { modelReader } from "../../../src/fleet/models.ts";
import type { Backend } from "../../../src/routing/backend.ts";
import type { Health, Present, SightingListener } from "../../../src/sources/sighting.ts";
import type { ContainerStatus } from "../../../src/status.ts";
import { freePort } from "../client/raw-http.ts";
import { type MemoryLog, memoryLog } from "../proxy/memory-log.ts";
import { WatchedTable } from "../proxy/watched-table.ts";
import { until } from "../until.ts";
import { FOLLOWING, sightingOf } from "./sightings.ts";

export const SERVER = { source: "tasks", id: "t1" };

/** A server with the model `m`. It can disappear, and come back at the same address. */
export class Machine implements Disposable {
  readonly port: number;
  status = 200;
  #server: ReturnType<typeof Bun.serve> | undefined;

  constructor(port: number) {
    this.port = port;
  }

  static async at(): Promise<Machine> {
    const machine = new Machine(await freePort());
    machine.start();
    return machine;
  }

  start(): void {
    const answer = (): Response =>
      Response.json({ object: "list", data: [{ id: "m" }] }, { status: this.status });
    this.#server = Bun.serve({ port: this.port, hostname: "127.0.0.1", fetch: answer });
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  stop(): void {
    void this.#server?.stop(true);
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}

export type Watched = {
  readonly fleet: Fleet;
  readonly table: WatchedTable;
  readonly log: MemoryLog;
  readonly source: SightingListener;
  readonly see: (seen: Health, more?: Partial<Present>) => void;
  readonly status: () => ContainerStatus | undefined;
  /** The active backend. */
  readonly active: () => Backend | undefined;
};

export function watch(
  origin: string,
  named?: readonly string[],
  init: Partial<FleetInit> = {},
): Watched {
  const [table, log] = [new WatchedTable(), memoryLog()];
  const readModels = modelReader("1.1 proxy");
  const fleet = new Fleet({ ...{ table, log, drainTimeoutMs: 60_000, readModels }, ...init });
  const source = fleet.join({ ...FOLLOWING, name: SERVER.source });
  const place = { run: { ...SERVER, startedAtMs: 1 }, origin, origins: [origin] };
  const settings = { ...(named && { models: named }), shares: "web" };
  const see: Watched["see"] = (seen, more) => {
    const sighting = sightingOf(seen, { ...place, settings }) as Present;
    source.saw(
      { ...sighting, mayVanish: true, ...more, server: SERVER, name: "web.1", slots: ["web.1"] },
      source.nextRank(),
    );
  };
  return {
    ...{ fleet, table, log, source, see },
    status: () => fleet.members[0],
    active: () => [...table.backends].find(({ state }) => state === "active"),
  };
}

export async function routed(at: Watched): Promise<Backend> {
  at.see("routable");
  await until("the server is routed", () => at.active() !== undefined);
  return at.active()!;
}
