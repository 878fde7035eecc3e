import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../support/engine/fake.ts";
import {
  kindOf,
  modelList,
  serverOf,
  startDiscovery,
  startModelServer,
  untilKind,
} from "../support/proxy/discovery.ts";
import { expectNever, until, within } from "../support/until.ts";

const SILENT = (): Promise<Response> => new Promise(() => undefined);

describe("Fleet.refreshModels()", () => {
  test("reads all active backends once; calls meanwhile wait for the same reads", async () => {
    using fake = await new FakeEngine().start();
    using first = startModelServer("a");
    using second = startModelServer("b");
    fake.add({ port: first.port });
    fake.add({ port: second.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live", "a");
    await untilKind(discovery, "live", "b");
    const gate = Promise.withResolvers<void>();
    first.answer = async () => {
      await gate.promise;
      return modelList("a", "new");
    };
    const calls = [1, 2, 3].map(() => discovery.fleet.refreshModels());
    let ended = 0;
    for (const call of calls) void call.then(() => (ended += 1));
    await until("both are asked", () => first.reads() + second.reads() === 4);
    await expectNever("a call resolves before the reads end", () => ended > 0, 20);
    gate.resolve();
    await within("the refresh", Promise.all(calls));
    expect([kindOf(discovery, "new"), first.reads(), second.reads()]).toEqual(["live", 2, 2]);
  });

  test("resolves at once without a read within 5 s of the last one; reads again after that", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake, { refreshMs: 200 });
    await untilKind(discovery, "live");
    await discovery.fleet.refreshModels();
    for (let n = 0; n < 5; n += 1) await within("nothing", discovery.fleet.refreshModels(), 50);
    expect(models.reads()).toBe(2);
    await until("it is asked again", async () => {
      await discovery.fleet.refreshModels();
      return models.reads() === 3;
    });
  });

  test("resolves when a read fails, and when its container is removed meanwhile", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, { refreshMs: 0 });
    await untilKind(discovery, "live");
    models.answer = () => new Response("", { status: 500 });
    await within("the failed read", discovery.fleet.refreshModels());
    models.answer = SILENT;
    const before = models.reads();
    const refresh = discovery.fleet.refreshModels();
    await until("it is asked", () => models.reads() > before);
    fake.exit(container);
    await within("the end of the read", refresh);
    await untilKind(discovery, "unknown");
  });

  test("a server that hangs does not stop the reads of the others", async () => {
    using fake = await new FakeEngine().start();
    using hanging = startModelServer("a");
    using models = startModelServer("b");
    fake.add({ port: hanging.port });
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake, { refreshMs: 20 });
    await untilKind(discovery, "live", "a");
    await untilKind(discovery, "live", "b");
    hanging.answer = SILENT;
    void discovery.fleet.refreshModels();
    await until("both are asked", () => hanging.reads() + models.reads() === 4);
    models.answer = () => modelList("b", "new");
    await until("the new model is there", () => {
      void discovery.fleet.refreshModels();
      return kindOf(discovery, "new") === "live";
    });
    expect([kindOf(discovery, "a"), hanging.reads()]).toEqual(["live", 2]);
  });

  test("resolves without any container", async () => {
    using fake = await new FakeEngine().start();
    using discovery = startDiscovery(fake);
    await within("nothing", discovery.fleet.refreshModels());
  });
});

describe("Fleet.refreshModelsOf()", () => {
  test("reads only the models of that container", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("base");
    using other = startModelServer("other");
    const container = fake.add({ port: models.port });
    fake.add({ port: other.port });
    using discovery = startDiscovery(fake, { refreshOfMs: 20 });
    await untilKind(discovery, "live", "base");
    await untilKind(discovery, "live", "other");
    for (const adapter of ["one", "two", "three"]) {
      models.answer = () => modelList("base", adapter);
      await within("the read", discovery.fleet.refreshModelsOf(serverOf(container)));
      expect(kindOf(discovery, adapter)).toBe("live");
    }
    expect([models.reads(), other.reads()]).toEqual([4, 1]);
  });

  test("reads at once, then at most once per interval; the last call is not lost", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("base");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, { refreshOfMs: 500 });
    await untilKind(discovery, "live", "base");
    const began = performance.now();
    await within("the first", discovery.fleet.refreshModelsOf(serverOf(container)));
    expect([models.reads(), performance.now() - began < 400]).toEqual([2, true]);
    models.answer = () => modelList("base", "adapter");
    const calls = Array.from({ length: 100 }, () =>
      discovery.fleet.refreshModelsOf(serverOf(container)),
    );
    await within("the others", Promise.all(calls));
    expect([kindOf(discovery, "adapter"), models.reads()]).toEqual(["live", 3]);
    expect(performance.now() - began).toBeGreaterThan(450);
  });

  test("refreshModels() waits for requested reads that have not begun", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("base");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, { refreshOfMs: 300 });
    await untilKind(discovery, "live", "base");
    await discovery.fleet.refreshModels(); // no second read within 5 s
    await discovery.fleet.refreshModelsOf(serverOf(container));
    models.answer = () => modelList("base", "adapter");
    void discovery.fleet.refreshModelsOf(serverOf(container));
    await within("the refresh", discovery.fleet.refreshModels());
    expect(kindOf(discovery, "adapter")).toBe("live");
  });

  test("during a read causes one more, because the read in progress may have begun before the adapter was loaded", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("base");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, { refreshOfMs: 0 });
    await untilKind(discovery, "live", "base");
    const gate = Promise.withResolvers<void>();
    models.answer = async () => {
      await gate.promise;
      return modelList("base");
    };
    void discovery.fleet.refreshModels();
    await until("it is asked", () => models.reads() === 2);
    const calls = [1, 2, 3].map(() => discovery.fleet.refreshModelsOf(serverOf(container)));
    models.answer = () => modelList("base", "adapter");
    gate.resolve();
    await within("the reads", Promise.all(calls));
    expect([kindOf(discovery, "adapter"), models.reads()]).toEqual(["live", 3]);
  });

  test("resolves at once for an unknown container, or for one that is not routed", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    models.answer = SILENT;
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await until("it is probed", () => models.reads() === 1);
    await within("nothing", discovery.fleet.refreshModelsOf(serverOf(container)));
    await within("nothing", discovery.fleet.refreshModelsOf(serverOf({ id: "f".repeat(64) })));
  });
});
