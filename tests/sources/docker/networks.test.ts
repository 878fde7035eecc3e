import { describe, expect, test } from "bun:test";
import { type Container, type Network, parseContainer } from "../../../src/engine/container.ts";
import { Fleet } from "../../../src/fleet/fleet.ts";
import type { ModelList } from "../../../src/fleet/model-list.ts";
import type { Lease } from "../../../src/routing/backend.ts";
import { RoutingTable } from "../../../src/routing/table.ts";
import { DockerSource } from "../../../src/sources/docker/docker.ts";
import type { ContainerStatus } from "../../../src/status.ts";
import { readFixture } from "../../support/engine/replies.ts";
import { memoryLog } from "../../support/proxy/memory-log.ts";
import { model } from "../../support/server/backends.ts";
import { until } from "../../support/until.ts";

const SHAPE = parseContainer(readFixture("docker-20.10.24-user-bridge.json"));

function network(name: string, host: number): Network {
  return {
    name,
    id: `id-${name}`,
    ipv4: `10.0.${name.charCodeAt(0)}.${host}`,
    ipv6: "",
    gateway: "",
  };
}

/** The containers of the proxy and of a server. A test changes their networks. */
class Rig {
  readonly table = new RoutingTable();
  readonly reads: { readonly url: string; readonly signal: AbortSignal }[] = [];
  /** The address where the server answers. Packets to other addresses get lost. */
  answering: string[] = [];
  readonly #containers = new Map<string, Container>();
  readonly #fleet: Fleet;
  readonly #docker: DockerSource;

  constructor(own: readonly Network[], server: readonly Network[]) {
    const labels = { "inference.enable": "true" };
    this.#containers.set("own", { ...SHAPE, id: "own", labels: {}, networks: own });
    const health = "healthy";
    this.#containers.set("server", { ...SHAPE, id: "server", labels, health, networks: server });
    const [log, drainTimeoutMs] = [memoryLog(), 60_000];
    this.#fleet = new Fleet({
      table: this.table,
      log,
      drainTimeoutMs,
      readModels: (url, signal) => this.#read(url, signal),
    });
    this.#docker = new DockerSource({
      engine: {
        list: async () => ["server"],
        inspect: async (id) => this.#containers.get(id),
        openEvents: () => new Promise(() => undefined),
        clock: { nowMs: Date.now },
      },
      fleet: this.#fleet,
      log,
      drainTimeoutMs,
      own: {
        containerId: "own",
        addresses: () => [],
        listening: { host: undefined, port: 8080 },
        program: "proxy",
        lookUpHost: async () => undefined,
        remote: undefined,
      },
      times: { settleMs: 0, lookPaceMs: 0 },
    });
    this.#docker.onStreamOpen();
  }

  get status(): ContainerStatus | undefined {
    return this.#fleet.members[0];
  }

  /** Changes the networks and sends the engine's event for that. */
  move(id: "own" | "server", networks: readonly Network[]): void {
    const container = this.#containers.get(id) ?? SHAPE;
    this.#containers.set(id, { ...container, networks });
    const timeMs = Date.now();
    const kind = "moved";
    const nothing = { signal: undefined, fact: undefined, exitCode: undefined };
    this.#docker.onEvent({ kind, containerId: id, attributes: {}, timeMs, ...nothing });
  }

  async untilAt(state: string, address: string | null): Promise<void> {
    await until(
      `it is ${state} at ${address}`,
      () => this.status?.state === state && this.status.address === address,
    );
  }

  lease(): Lease {
    const route = this.table.route("m");
    if (route.kind !== "routed") throw new Error(`the route is "${route.kind}"`);
    return route.lease;
  }

  #read(url: string, signal: AbortSignal): Promise<ModelList> {
    this.reads.push({ url, signal });
    const { hostname } = new URL(url);
    return this.answering.includes(hostname)
      ? Promise.resolve({ models: [model({ id: "m" })] })
      : new Promise(() => undefined);
  }
}

const A = network("a", 2);
const B = network("b", 2);
const OWN_A = network("a", 3);
const OWN_B = network("b", 3);
const AT_A = `http://${A.ipv4}:8000`;
const AT_B = `http://${B.ipv4}:8000`;

describe("DockerSource when containers join and leave networks", () => {
  test("the proxy joins a network: repeats an unanswered read at the same address", async () => {
    const rig = new Rig([OWN_A], [B]);
    await rig.untilAt("reading_models", AT_B);
    expect(rig.status?.reason).toContain("no shared network");
    rig.answering = [B.ipv4];
    rig.move("own", [OWN_A, OWN_B]);
    await rig.untilAt("routed", AT_B);
    expect(rig.status?.reason).toBe("healthy");
    expect(rig.reads.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  });

  test("the proxy leaves the network: routes no more; requests in flight end with their connections", async () => {
    const rig = new Rig([OWN_A, OWN_B], [B]);
    rig.answering = [B.ipv4];
    await rig.untilAt("routed", AT_B);
    const { backend } = rig.lease();
    rig.answering = [];
    rig.move("own", [OWN_A]);
    await rig.untilAt("reading_models", AT_B);
    expect(rig.status?.reason).toContain("no shared network");
    expect([backend.state, rig.table.route("m").kind]).toEqual(["closed", "unavailable"]);
  });

  test("routes to a server that answers without a shared network, whatever network the proxy joins", async () => {
    const rig = new Rig([OWN_A], [B]);
    rig.answering = [B.ipv4];
    await rig.untilAt("routed", AT_B);
    const { backend } = rig.lease();
    rig.move("own", [OWN_A, network("c", 3)]);
    await until("it is reported", () => rig.status?.reason.includes("is on a, c") === true);
    rig.move("own", [OWN_A, OWN_B]);
    await until("it is reported", () => rig.status?.reason === "healthy");
    expect([backend.state, rig.reads.length]).toEqual(["active", 1]);
  });

  test.each<[what: string, left: readonly Network[], state: string, address: string | null]>([
    ["another network", [B], "routed", AT_B],
    ["no network", [], "ignored", null],
  ])(
    "the server leaves a network and has %s: requests in flight end with their connections",
    async (_what, left, state, address) => {
      const rig = new Rig([OWN_A, OWN_B], [A, B]);
      rig.answering = [A.ipv4, B.ipv4];
      await rig.untilAt("routed", AT_A);
      const { backend } = rig.lease();
      rig.move("server", left);
      await rig.untilAt(state, address);
      expect(backend.state).toBe("closed");
    },
  );

  test("a new address while the server keeps the old one: requests in flight may finish", async () => {
    const rig = new Rig([OWN_B], [A, B]);
    rig.answering = [A.ipv4, B.ipv4];
    await rig.untilAt("routed", AT_B);
    const { backend } = rig.lease();
    rig.move("own", [OWN_A, OWN_B]);
    await rig.untilAt("routed", AT_A);
    expect(backend.state).toBe("draining");
  });
});
