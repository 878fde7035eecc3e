/** Where Podman's engine differs from Docker's, by what was recorded of Podman 4.3.1. */
import { expect, test } from "bun:test";
import type { CloseReason } from "../../../src/routing/backend.ts";
import { FakeEngine } from "../../support/engine/fake.ts";
import {
  kindOf,
  startDiscovery,
  startModelServer,
  untilKind,
} from "../../support/proxy/discovery.ts";
import { play, readRecording } from "../../support/replay/recordings.ts";
import { until } from "../../support/until.ts";

/** Longer than the outcome of a probe took to appear in inspect. */
const OUTCOME_MS = 150;

/**
 * What each probe of a recording came to, and what the table says of the model after each event:
 * - unknown, L live, D draining. A `kill` has no signal there, and tells nothing.
 */
const RECORDINGS: readonly [name: string, outcomes: readonly string[], states: string][] = [
  ["p05-run-health-stop-rm", ["healthy", "healthy"], "-LL--"],
  ["p06-restart-kill-start", ["healthy", "healthy", "healthy"], "-L--LL--L--"],
  ["p07-pause-unhealthy", ["healthy", "healthy", "unhealthy", "unhealthy"], "-LDLLDD-"],
];

const LETTERS: Readonly<Record<string, string>> = { unknown: "-", live: "L", draining: "D" };

test.each(RECORDINGS)(
  "%s: what a probe came to is seen though its event came first",
  async (name, outcomes, states) => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    using discovery = startDiscovery(fake);
    await until("the stream is open", () => discovery.fleet.isReady);
    const path = `podman-4.3.1/${name}`;
    const left = [...outcomes];
    let seen = "";
    await play(fake, path, models.port, async ({ Action, Actor }) => {
      const container = fake.containers.get(Actor.ID);
      if (Action === "health_status" && container !== undefined) {
        await Bun.sleep(OUTCOME_MS); // as slow as Podman is
        container.health = left.shift();
      }
      if (Action === "pause" && container !== undefined) container.health = "healthy"; // as it was
      const state = (): string => LETTERS[kindOf(discovery)] ?? "?";
      await until("it is seen", () => state() === states[seen.length]).catch(() => undefined);
      seen += state();
    });
    expect(seen).toBe(states);
    expect(readRecording(path)).toHaveLength(states.length);
  },
);

test("a container that is seen to be stopping drains; what is in flight may finish", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  const container = fake.add({ port: models.port });
  using discovery = startDiscovery(fake);
  await untilKind(discovery, "live");
  const route = discovery.table.route("m");
  if (route.kind !== "routed") throw new Error("not routed");
  let closed: CloseReason | undefined;
  route.lease.onClose((why) => {
    closed = why;
  });
  container.status = "stopping";
  await discovery.docker.resync();
  expect(kindOf(discovery)).toBe("draining");
  expect(closed).toBeUndefined();
  fake.exit(container);
  await untilKind(discovery, "unknown");
  route.lease.end();
});
