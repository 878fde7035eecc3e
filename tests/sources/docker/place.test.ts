import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../../support/engine/fake.ts";
import { startDiscovery, startModelServer, untilKind } from "../../support/proxy/discovery.ts";
import { expectNever, until } from "../../support/until.ts";

describe("DockerSource, before and after it knows where the proxy is", () => {
  test("an event before the first look at our own container causes no look", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const own = fake.add({ labels: {} });
    const server = fake.add({ port: models.port });
    const gate = Promise.withResolvers<void>();
    fake.intercept = async (path) => {
      if (path.includes(own.id)) await gate.promise;
      return undefined;
    };
    using discovery = startDiscovery(fake, { own: { containerId: own.id } });
    const asked = (id: string): boolean => fake.requests.some((path) => path.includes(id));
    await until("it is asked for", () => asked(own.id));
    fake.setHealth(server, "healthy");
    await until("the event has come", () => discovery.received() === 1);
    // 100 ms: ten times the settle time of a new stream.
    await expectNever("the server is looked at", () => asked(server.id), 100);
    gate.resolve();
    await untilKind(discovery, "live");
  });

  test("assumes the host after a while if the engine refuses to show our own container", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const own = fake.add({ labels: {} });
    fake.add({ port: models.port });
    fake.intercept = (path) =>
      path.includes(own.id) ? { status: 403, body: "<html>no</html>" } : undefined;
    using discovery = startDiscovery(fake, { own: { containerId: own.id }, refusedMs: 100 });
    await untilKind(discovery, "live");
    await discovery.docker.resync();
    expect(discovery.log.count("own container unknown")).toBe(1);
  });

  test("ignores its own container, whatever its labels say, but not another proxy", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const own = fake.add({ labels: { "inference.enable": "true", "inference.port": "8080" } });
    const other = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, {
      // The program of the recorded containers.
      own: { containerId: own.id, program: "mock-inference" },
    });
    await untilKind(discovery, "live");
    const states = discovery.containers().map(({ id, state, reason }) => [id, state, reason]);
    expect(states).toContainEqual([own.id, "ignored", expect.stringContaining("the proxy itself")]);
    expect(states).toContainEqual([other.id, "routed", "healthy"]);
  });

  test("does not take a server whose network the proxy shares for the proxy", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const peer = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, { own: { containerId: peer.id } });
    await untilKind(discovery, "live");
  });

  test("ignores a server at our own address with a reason, and routes to another address", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, {
      own: { listening: { host: undefined, port: models.port } },
    });
    const status = () => discovery.containers()[0];
    await until("it is ignored", () => status()?.state === "ignored");
    expect(status()?.reason).toContain(`the proxy itself listens at 127.0.0.1:${models.port}`);
    expect(models.reads()).toBe(0);
    using elsewhere = startDiscovery(fake, {
      own: { listening: { host: "10.0.0.1", port: models.port } },
    });
    await untilKind(elsewhere, "live");
    expect(container.status).toBe("running");
  });

  test("an engine on another machine: tries the container's address, with a doubt", async () => {
    using fake = await new FakeEngine().start();
    fake.add({ port: 1 });
    using discovery = startDiscovery(fake, {
      own: {
        remote: {
          host: "engine.invalid",
          lookUp: async () => ["10.9.9.9"],
          containerAddresses: async () => [],
        },
      },
    });
    await until("it has a doubt", () =>
      (discovery.containers()[0]?.reason ?? "").includes("the engine is on another machine"),
    );
  });
});
