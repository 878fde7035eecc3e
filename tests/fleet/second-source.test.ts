import { describe, expect, test } from "bun:test";
import { Fleet } from "../../src/fleet/fleet.ts";
import type { Server } from "../../src/routing/run.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import type { Health, Sighting, SightingListener, Source } from "../../src/sources/sighting.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import { startDiscovery, startModelServer } from "../support/proxy/discovery.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";
import { listOf } from "../support/server/backends.ts";
import { until } from "../support/until.ts";

type Task = { readonly id: string; readonly port: number; startedAtMs: number; health: Health };

/** The task list of a manager without events, over HTTP. */
class TaskList implements Disposable {
  readonly tasks: Task[] = [];
  polls = 0;
  isBroken = false;
  readonly #server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => {
      this.polls += 1;
      return this.isBroken ? new Response("", { status: 500 }) : Response.json(this.tasks);
    },
  });

  get url(): string {
    return this.#server.url.href;
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true);
  }
}

/** A source without events: it polls a list. A server that is no longer in the list is gone. */
class PolledSource implements Source, Disposable {
  readonly name = "polled";
  readonly #url: string;
  readonly #listener: SightingListener;
  readonly #stopping = new AbortController();
  #known = new Map<string, Server>();
  #isFollowing = false;

  constructor(url: string, fleet: Fleet) {
    this.#url = url;
    this.#listener = fleet.join(this);
    void this.#pollForEver();
  }

  isFollowing(): boolean {
    return this.#isFollowing;
  }

  /** A list shows everything that happened before it was made. */
  settled(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.dispose](): void {
    this.#stopping.abort();
  }

  async #pollForEver(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#poll().catch(() => undefined);
      await Bun.sleep(2); // the interval of this source
    }
  }

  async #poll(): Promise<void> {
    const response = await fetch(this.#url);
    this.#isFollowing = response.ok;
    if (!response.ok) return; // a failed answer shows nothing: the state stays
    const tasks = (await response.json()) as readonly Task[];
    const rank = this.#listener.nextRank();
    const seen = new Map<string, Server>();
    for (const { id, port, startedAtMs, health } of tasks) {
      const server = { source: this.name, id };
      seen.set(id, server);
      const origin = `http://127.0.0.1:${port}`;
      const sighting: Sighting = {
        ...{ server, name: `task ${id}`, slots: [id], kind: "present", seen: health },
        ...{ run: { ...server, startedAtMs }, origin, origins: [origin] },
        ...{ settings: { basePath: "/v1" } },
        ...(health === "not healthy" && { trouble: { state: "unhealthy", reason: "it says so" } }),
      };
      this.#listener.saw(sighting, rank);
    }
    for (const [id, server] of this.#known) if (!seen.has(id)) this.#forget(server, id);
    this.#known = seen;
    this.#listener.passed(true);
  }

  #forget(server: Server, id: string): void {
    const how = { kind: "absent", state: "stopped", reason: "removed", comesBack: false } as const;
    const name = `task ${id}`;
    const sighting = { server, name, slots: [name], ...how, outlook: "gone" } as const;
    this.#listener.saw(sighting, this.#listener.nextRank());
    this.#listener.gone(server);
  }
}

describe("A second source, that polls", () => {
  test("shows servers beside those of Docker, even with the same id, and the fleet knows both", async () => {
    using engine = await new FakeEngine().start();
    using ofDocker = startModelServer("a", "both");
    using ofPolled = startModelServer("b", "both");
    using list = new TaskList();
    const container = engine.add({ port: ofDocker.port });
    using discovery = startDiscovery(engine);
    using _source = new PolledSource(list.url, discovery.fleet);
    const { table, fleet } = discovery;
    await until("the container is routed", () => table.find("a").kind === "live");
    list.tasks.push({ id: container.id, port: ofPolled.port, startedAtMs: 1, health: "routable" });
    await until("the task is routed too", () => table.find("b").kind === "live");
    expect(fleet.members.map(({ id, state }) => [id, state])).toEqual([
      [container.id, "routed"],
      [container.id, "routed"],
    ]);
    const route = table.route("both");
    expect(route.kind === "routed" && route.lease.backend.run.source).toBe("polled"); // the newest
    list.tasks.length = 0;
    await until("the task is gone", () => table.find("b").kind === "unknown");
    expect([table.find("a").kind, table.find("both").kind]).toEqual(["live", "live"]);
    expect(fleet.members.map(({ id }) => id)).toEqual([container.id]);
  });

  function rig(list: TaskList) {
    const [table, log] = [new RoutingTable(), memoryLog()];
    let models = listOf("m");
    const fleet = new Fleet({
      ...{ table, log, drainTimeoutMs: 60_000, refreshOfMs: 0 },
      readModels: async () => models,
    });
    const source = new PolledSource(list.url, fleet);
    const next = async (): Promise<void> => {
      const { polls } = list;
      await until("it has polled twice", () => list.polls >= polls + 2);
    };
    const serve = (...ids: readonly string[]): void => {
      models = listOf(...ids);
    };
    return {
      table,
      log,
      fleet,
      source,
      next,
      serve,
      [Symbol.dispose]: () => source[Symbol.dispose](),
    };
  }

  test("a task that is told to stop drains, and requests in flight may finish", async () => {
    using list = new TaskList();
    using polled = rig(list);
    const task: Task = { id: "t1", port: 9, startedAtMs: 1, health: "routable" };
    list.tasks.push(task);
    await until("it is routed", () => polled.table.find("m").kind === "live");
    const route = polled.table.route("m");
    task.health = "stopping";
    await until("it drains", () => polled.table.find("m").kind === "draining");
    expect(route.kind === "routed" && route.lease.backend.state).toBe("draining");
    expect(polled.fleet.members).toMatchObject([{ state: "stopping", in_flight: 1 }]);
  });

  test("another start is another run, whose models are read again; all sources share one order of runs", async () => {
    using list = new TaskList();
    using polled = rig(list);
    const task: Task = { id: "t1", port: 9, startedAtMs: 1, health: "routable" };
    list.tasks.push(task);
    await until("it is routed", () => polled.table.find("m").kind === "live");
    polled.serve("other");
    task.startedAtMs = 2;
    await until("the new run is routed", () => polled.table.find("other").kind === "live");
    expect(polled.table.find("m").kind).toBe("unknown");
  });

  test("a failed answer is no sighting; a server that refuses a connection meanwhile drains", async () => {
    using list = new TaskList();
    using polled = rig(list);
    list.tasks.push({ id: "t1", port: 9, startedAtMs: 1, health: "routable" });
    await until("it is routed", () => polled.table.find("m").kind === "live");
    list.isBroken = true;
    await polled.next();
    const route = polled.table.route("m");
    expect(route.kind).toBe("routed");
    if (route.kind === "routed") route.lease.backend.reportUnreachable("connection refused");
    expect(polled.table.find("m").kind).toBe("draining");
    list.isBroken = false;
    await until("it is seen again", () => polled.table.find("m").kind === "live");
  });

  test("readiness waits for the first pass of each source", async () => {
    using engine = await new FakeEngine().start();
    using list = new TaskList();
    list.isBroken = true;
    using discovery = startDiscovery(engine);
    using _source = new PolledSource(list.url, discovery.fleet);
    await discovery.docker.resync();
    expect(discovery.fleet.isReady).toBe(false);
    list.isBroken = false;
    await until("both have reported all", () => discovery.fleet.isReady);
  });
});
