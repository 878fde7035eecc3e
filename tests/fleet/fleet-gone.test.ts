import { describe, expect, test } from "bun:test";
import { Machine, routed, SERVER, watch } from "../support/server/machine.ts";
import { until } from "../support/until.ts";

describe("a server that its source stops to follow while it is being stopped", () => {
  test("leaves at once if nothing is in flight, and its model is not known any more", async () => {
    using machine = await Machine.at();
    const at = watch(machine.origin);
    await routed(at);
    at.see("stopping");
    expect(at.table.find("m").kind).toBe("draining");
    at.source.gone(SERVER);
    expect(at.fleet.members).toEqual([]);
    await until("it has left", () => at.table.backends.size === 0);
    expect(at.table.find("m").kind).toBe("unknown");
  });

  test("finishes what is in flight, and leaves then", async () => {
    using machine = await Machine.at();
    const at = watch(machine.origin);
    const lease = (await routed(at)).acquire()!;
    const closed: string[] = [];
    lease.onClose((reason) => closed.push(reason));
    at.see("stopping");
    at.source.gone(SERVER);
    expect(at.table.find("m").kind).toBe("draining");
    expect([closed, at.source.takesRequests(SERVER)]).toEqual([[], false]);
    lease.end();
    await until("it has left", () => at.table.backends.size === 0);
    expect([at.table.find("m").kind, closed]).toEqual(["unknown", []]);
  });

  test("is cut when its time to drain is up", async () => {
    using machine = await Machine.at();
    const at = watch(machine.origin, undefined, { drainTimeoutMs: 30 });
    const lease = (await routed(at)).acquire()!;
    const closed: string[] = [];
    lease.onClose((reason) => closed.push(reason));
    at.see("stopping");
    at.source.gone(SERVER);
    await until("it is cut", () => closed.includes("cut"));
    expect([at.table.backends.size, at.table.find("m").kind]).toEqual([0, "unknown"]);
  });
});
