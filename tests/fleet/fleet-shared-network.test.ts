/** Containers that share the network of another container. */
import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../support/engine/fake.ts";
import { type FakeContainer, inspectReplyOf } from "../support/engine/replies.ts";
import {
  startDiscovery,
  startModelServer,
  untilKind,
  untilState,
} from "../support/proxy/discovery.ts";
import { until } from "../support/until.ts";

function shownSharing(
  container: FakeContainer,
  { id }: FakeContainer,
): { readonly status: number; readonly body: string } {
  const reply = {
    ...inspectReplyOf(container),
    HostConfig: { NetworkMode: `container:${id}` },
    NetworkSettings: { Networks: {} },
  };
  return { status: 200, body: JSON.stringify(reply) };
}

describe("Fleet, with containers that share the network of another container", () => {
  test("leave at once when the run of the other one ends, even if the engine is slow; a replayed event does not count", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const vpn = fake.add({ labels: {}, startedAtMs: Date.now() - 60_000 });
    const sharing = fake.add({ port: models.port });
    fake.intercept = (path) => (path.includes(sharing.id) ? shownSharing(sharing, vpn) : undefined);
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    fake.emit(vpn, "die", {}, vpn.startedAtMs - 1);
    await until("the replay has arrived", () => discovery.received() === 1);
    expect(discovery.table.find("m").kind).toBe("live");
    const never = Promise.withResolvers<undefined>();
    fake.intercept = () => never.promise;
    fake.emit(vpn, "die");
    await untilKind(discovery, "unavailable");
    never.resolve(undefined);
  });

  test("have the address of the other one, and follow it when it starts again", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const vpn = fake.add({ labels: {}, name: "vpn", startedAtMs: Date.now() - 60_000 });
    const sharing = fake.add({ port: models.port });
    fake.intercept = (path) => (path.includes(sharing.id) ? shownSharing(sharing, vpn) : undefined);
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    fake.startAgain(vpn); // without an event for the container that shares its network
    await untilState(discovery, sharing, "ignored");
    expect(discovery.table.find("m")).toMatchObject({ trouble: "misconfigured" });
    expect(discovery.containers()[0]?.reason).toContain(
      'container "vpn", which was restarted later',
    );
    sharing.startedAtMs = Date.now() + 1;
    fake.emit(sharing, "start");
    await untilKind(discovery, "live");
  });
});
