import { describe, expect, test } from "bun:test";
import { EngineError } from "../../../src/engine/error.ts";
import type { Place } from "../../../src/sources/docker/address.ts";
import { OwnWhereabouts } from "../../../src/sources/swarm/whereabouts.ts";
import { aNetwork, aTask } from "../../support/engine/swarm-parts.ts";

const OWN = "f".repeat(64);
const FOREIGN: Place = { kind: "foreign", engineHost: "manager" };
const INGRESS = aNetwork({ id: "ing", name: "ingress", isIngress: true });
const NETWORK = { name: "web", id: "net9", ipv4: "10.0.9.2", ipv6: "", gateway: "" };
const CONTAINER: Place = { kind: "container", networks: [NETWORK], hostAddress: undefined };

function rig(ownContainerId: string | undefined) {
  const made = { asked: 0, attachments: async () => [aTask({ serviceId: "", containerId: OWN })] };
  const own = new OwnWhereabouts({
    ownContainerId,
    attachments: () => {
      made.asked += 1;
      return made.attachments();
    },
  });
  return { made, own };
}

describe("OwnWhereabouts", () => {
  test("are the networks of our own container, which may be a task", async () => {
    const { made, own } = rig(OWN);
    await own.read([aTask({ containerId: OWN, serviceId: "proxies" })], CONTAINER, 0);
    expect(own.now).toEqual({ networks: [NETWORK], isOnHost: false });
    expect(own.serviceId).toBe("proxies");
    expect(made.asked).toBe(0);
  });

  test("on another node than the engine, are the networks of our own task", async () => {
    const { made, own } = rig(OWN);
    const task = aTask({ containerId: OWN, networks: [INGRESS, aNetwork()] });
    await own.read([aTask({ id: "x" }), task], FOREIGN, 0);
    expect(own.now).toEqual({ networks: [aNetwork()], isOnHost: false });
    expect(made.asked).toBe(0);
  });

  test("or the attachable networks from docker run, read every 10 s", async () => {
    const { made, own } = rig(OWN);
    await own.read([], FOREIGN, 0);
    await own.read([], FOREIGN, 9_999);
    expect(own.now).toEqual({ networks: [aNetwork()], isOnHost: false });
    expect(own.serviceId).toBeUndefined();
    expect(made.asked).toBe(1);
    made.attachments = async () => {
      throw new EngineError("no answer", { kind: "unreachable" });
    };
    await own.read([], FOREIGN, 10_000);
    expect(own.now.networks).toEqual([aNetwork()]); // the old networks stay
    expect(made.asked).toBe(2);
  });

  test("are empty on a host, or in a container that no list contains", async () => {
    const host = rig(undefined);
    await host.own.read([aTask()], { kind: "host" }, 0);
    expect(host.own.now).toEqual({ networks: [], isOnHost: true });
    expect(host.made.asked).toBe(0);
    const unknown = rig(OWN);
    unknown.made.attachments = async () => [];
    await unknown.own.read([aTask()], FOREIGN, 0);
    expect(unknown.own.now).toEqual({ networks: [], isOnHost: true });
  });

  test("are on the host for a task on the host's network", async () => {
    const { own } = rig(OWN);
    const task = aTask({ containerId: OWN, networks: [aNetwork({ name: "host", addresses: [] })] });
    await own.read([task], FOREIGN, 0);
    expect(own.now.isOnHost).toBe(true);
  });
});
