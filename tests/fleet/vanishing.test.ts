/** Servers whose machine may vanish without notice. */
import { describe, expect, test } from "bun:test";
import type { Health } from "../../src/sources/sighting.ts";
import { freePort } from "../support/client/raw-http.ts";
import { vanishingServer } from "../support/server/blackhole.ts";
import { Machine, routed, SERVER, watch } from "../support/server/machine.ts";
import { expectNever, until } from "../support/until.ts";

const LOST = "it gets no new requests until the proxy can read its model list";

describe("a server that may vanish and can't be reached any more", () => {
  test("gets no new requests until its models can be read, after any sighting; requests in flight go on", async () => {
    using machine = await Machine.at();
    const at = watch(machine.origin);
    const backend = await routed(at);
    const lease = backend.acquire()!;
    expect(at.source.takesRequests(SERVER)).toBe(true);
    machine.stop();
    backend.reportUnreachable("unreachable");
    expect(at.source.takesRequests(SERVER)).toBe(false);
    expect(at.table.find("m")).toMatchObject({ kind: "draining", trouble: "unreachable" });
    expect(at.status()).toMatchObject({
      ...{ state: "reading_models", in_flight: 1 },
      reason: `cannot be reached (connection timed out); ${LOST}`,
    });
    at.see("routable");
    await until("it was tried", () => at.status()?.reason.includes("refused") === true);
    at.see("routable");
    expect(at.status()?.reason).toBe(`cannot be reached (connection refused); ${LOST}`);
    expect(at.log.count("container reading_models")).toBe(2); // one at first, and one for all tries
    machine.status = 503;
    machine.start();
    await until("it is loading", () => at.status()?.reason.startsWith("503") === true);
    expect([at.active(), at.status()?.reason]).toEqual([undefined, expect.stringContaining(LOST)]);
    machine.status = 200;
    await until("it is routed again", () => at.active() !== undefined);
    expect([at.active() === backend, at.table.backends.size]).toEqual([false, 2]);
    expect(at.active()).toMatchObject({ rank: backend.rank, load: backend.load, inFlight: 0 });
    lease.end();
    await until("the old one has left", () => at.table.backends.size === 1);
    expect(at.status()).toMatchObject({ state: "routed", in_flight: 0 });
  });

  test("with inference.models, gets no new requests until it accepts a connection", async () => {
    using machine = await Machine.at();
    const at = watch(machine.origin, ["m"]);
    const backend = await routed(at);
    machine.stop();
    backend.reportUnreachable("connection refused");
    await expectNever("it is admitted", () => at.active() !== undefined, 50);
    expect(at.status()?.reason).toEndWith(
      "; it gets no new requests until it accepts a connection",
    );
    machine.start();
    await until("it is routed again", () => at.active() !== undefined);
  });

  test("is tried every second, even if packets to its address are lost", async () => {
    using machine = await vanishingServer();
    const at = watch(machine.origin, ["m"]);
    const backend = await routed(at);
    const wake = await fetch(machine.origin, {
      method: "POST",
      body: "x",
      signal: AbortSignal.timeout(100),
    }).catch(() => undefined);
    expect(wake).toBeUndefined();
    await machine.vanish();
    const startMs = performance.now();
    await at.fleet.refreshModels(); // as if a client asked for an unknown model
    expect(performance.now() - startMs).toBeWithin(950, 2_000);
    expect([at.active(), backend.state]).toEqual([undefined, "draining"]);
    expect(at.status()?.reason).toStartWith("cannot be reached (connection timed out); ");
  });

  test("is detected by a read of its models that can't connect, not by a slow or bad answer", async () => {
    using machine = await Machine.at();
    const at = watch(machine.origin, undefined, { rereadMs: 30 });
    const backend = await routed(at);
    machine.status = 503;
    await until("a read has failed", () => at.status()?.reason.includes("503") === true);
    expect(at.active()).toBe(backend);
    machine.stop();
    await until("it is out", () => at.active() === undefined);
    expect(at.status()?.reason).toEndWith(LOST);
  });

  test.each<Health>(["not healthy", "stopping"])(
    "and is %s: the proxy stops trying, and reads its models before it routes it again",
    async (seen) => {
      using machine = await Machine.at();
      const at = watch(machine.origin);
      const backend = await routed(at);
      machine.stop();
      backend.reportUnreachable("not connected");
      const trouble = { state: "unhealthy", reason: "gone from DNS" } as const;
      at.see(seen, { trouble });
      expect(at.status()?.state).toBe(seen === "stopping" ? "stopping" : "unhealthy");
      machine.start();
      await expectNever("it is admitted", () => at.active() !== undefined, 50);
      machine.stop();
      at.see("routable");
      expect(at.status()?.state).toBe("reading_models");
      await expectNever("it is admitted", () => at.active() !== undefined, 50);
      machine.start();
      await until("it is routed", () => at.active() !== undefined);
    },
  );

  test("and is over leaves", async () => {
    using machine = await Machine.at();
    const at = watch(machine.origin);
    const backend = await routed(at);
    backend.reportUnreachable("unreachable");
    at.source.over(backend.run, { kind: "unknown", brief: "has ended", reason: "has ended" });
    expect(at.table.backends.size).toBe(0);
  });

  test("at first: the reason says what to do about a port where no server listens", async () => {
    const at = watch(`http://127.0.0.1:${await freePort()}`);
    at.see("routable");
    await until("it was tried", () => at.status()?.reason.includes("nothing listens") === true);
    expect(at.status()?.reason).toEndWith("make the server listen on 0.0.0.0");
  });

  test("a refused or missing connection of another server has no effect while its source follows", async () => {
    using machine = await Machine.at();
    const at = watch(machine.origin);
    at.see("routable", { mayVanish: false });
    await until("it is routed", () => at.active() !== undefined);
    at.active()?.reportUnreachable("connection refused");
    at.active()?.reportUnreachable("unreachable");
    expect(at.active()?.state).toBe("active");
  });
});
