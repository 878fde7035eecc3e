import { describe, expect, test } from "bun:test";
import { Machine, routed, SERVER, watch } from "../support/server/machine.ts";
import { until } from "../support/until.ts";

describe("a stopping server that its source no longer follows", () => {
  test("leaves at once if no request is in flight, and its model becomes unknown", async () => {
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

  test("finishes the requests in flight, then leaves", async () => {
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

  test("is cut after the drain timeout", async () => {
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
