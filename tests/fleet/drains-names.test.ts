/** Which container a name or an id means, and the reason if none fits. */
import { describe, expect, test } from "bun:test";
import type { DrainResult } from "../../src/fleet/drains.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import { type Discovery, startDiscovery } from "../support/proxy/discovery.ts";
import { until } from "../support/until.ts";

function reasonOf(result: DrainResult): string {
  return result.kind === "done" ? `done: ${result.name}` : result.reason;
}

describe("the container to drain", () => {
  const ID = `0123456789ab${"c".repeat(52)}`;
  const TWIN = `0123456789ab${"d".repeat(52)}`;

  async function fleetWith(
    fake: FakeEngine,
    ...containers: readonly {
      readonly id?: string;
      readonly name?: string;
      readonly status?: string;
    }[]
  ): Promise<Discovery> {
    for (const one of containers) fake.add({ ...one, port: 1 });
    const discovery = startDiscovery(fake);
    await until("all are known", () => discovery.containers().length === containers.length);
    await until("it is ready", () => discovery.fleet.isReady);
    return discovery;
  }

  test.each([
    ["its name", "vllm"],
    ["its id", ID],
    ["the id that Docker shows", ID.slice(0, 12)],
    ["a longer beginning of its id", ID.slice(0, 20)],
  ])("is found by %s", async (_how, text) => {
    using fake = await new FakeEngine().start();
    using discovery = await fleetWith(fake, { id: ID, name: "vllm" }, { name: "other" });
    expect(reasonOf(discovery.fleet.drains.drain(text))).toBe("done: vllm");
  });

  test.each([
    ["whole id", "id1wnv6tkhxn9gkdwyayhgpjm"],
    ["beginning of 12 characters", "id1wnv6tkhxn"],
  ])("is found by the %s of a task, which is not hex", async (_how, text) => {
    using fake = await new FakeEngine().start();
    const id = "id1wnv6tkhxn9gkdwyayhgpjm";
    using discovery = await fleetWith(fake, { id, name: "web.1" }, { name: "other" });
    expect(reasonOf(discovery.fleet.drains.drain(text))).toBe("done: web.1");
  });

  test.each([
    "",
    "vll",
    "vllm2",
    ID.slice(0, 11),
    ID.slice(12),
    ID.toUpperCase(),
    "x".repeat(100_000),
  ])("is not found by %p, and the reason names the known containers", async (text) => {
    using fake = await new FakeEngine().start();
    using discovery = await fleetWith(fake, { id: ID, name: "vllm" }, { name: "other" });
    const reason = reasonOf(discovery.fleet.drains.drain(text));
    expect(reason).toStartWith('the proxy knows no container "');
    expect(reason).toEndWith('"; it knows other, vllm');
    expect(reason.length).toBeLessThan(500);
  });

  test("the beginning of several ids is refused, and the reason has the whole ids", async () => {
    using fake = await new FakeEngine().start();
    using discovery = await fleetWith(fake, { id: ID, name: "one" }, { id: TWIN, name: "two" });
    expect(reasonOf(discovery.fleet.drains.drain(ID.slice(0, 12)))).toBe(
      `"0123456789ab" fits several containers: one (${ID}), two (${TWIN}); give the whole id`,
    );
  });

  test("is the running one of two with the same name; a name counts before an id", async () => {
    using fake = await new FakeEngine().start();
    using discovery = await fleetWith(
      fake,
      { id: TWIN, name: "vllm", status: "exited" },
      { id: ID, name: "vllm" },
      { name: ID.slice(0, 12) },
    );
    const { drains } = discovery.fleet;
    expect(drains.drain("vllm")).toMatchObject({ run: expect.stringContaining(ID) });
    expect(reasonOf(drains.drain(ID.slice(0, 12)))).toBe(`done: ${ID.slice(0, 12)}`);
  });

  test.each([
    ["stopped", { status: "exited" }, "(stopped: "],
    ["without a health check", { health: undefined }, "(ignored: no HEALTHCHECK"],
    ["opted out", { labels: { "inference.enable": "false" } }, "(disabled: "],
  ])("gets no requests if it is %s, and the reason says why", async (_what, change, says) => {
    using fake = await new FakeEngine().start();
    fake.add({ name: "vllm", ...change });
    using discovery = startDiscovery(fake);
    await until("it is seen", () => discovery.fleet.isReady);
    for (const verb of ["drain", "undrain"] as const) {
      const reason = reasonOf(discovery.fleet.drains[verb]("vllm"));
      expect(reason).toStartWith("vllm gets no requests");
      expect(reason).toContain(says);
    }
  });

  test("the reason says if the proxy still reads the models of the first servers", async () => {
    using fake = await new FakeEngine().start();
    fake.add({ name: "vllm", port: 1 });
    using slow = startDiscovery(fake, { readModels: () => new Promise(() => undefined) });
    await until("the engine has answered", () => !slow.fleet.awaitsSources);
    expect(reasonOf(slow.fleet.drains.drain("llama"))).toBe(
      'the proxy knows no container "llama" yet: it is starting; try again shortly',
    );
  });

  test("the reason says if the engine has not answered yet or shows no container; it names at most ten", async () => {
    using fake = await new FakeEngine().start();
    using none = startDiscovery(fake);
    expect(reasonOf(none.fleet.drains.drain("vllm"))).toBe(
      `the proxy knows no container "vllm" yet: it waits for the Docker engine's list of containers; if this lasts, lw-inference-proxy status says why`,
    );
    await until("it is ready", () => none.fleet.isReady);
    expect(reasonOf(none.fleet.drains.drain("vllm"))).toBe(
      'the proxy knows no container "vllm", and no container with the label inference.enable',
    );
    const many = Array.from({ length: 300 }, (_, index) => ({ name: `server-${1_000 + index}` }));
    using discovery = await fleetWith(fake, ...many);
    const reason = reasonOf(discovery.fleet.drains.drain("vllm"));
    expect(reason).toContain("it knows server-1000, ");
    expect(reason).toEndWith("server-1009 and 290 more");
  });
});
