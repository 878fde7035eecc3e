/** Differences between the engines of Podman and Docker, from recordings of Podman 4.3.1. */
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

/** Longer than the result of a probe took to appear in an inspect. */
const OUTCOME_MS = 150;

/**
 * The result of each probe of a recording, and the state of the model in the table after each event:
 * - unknown, L live, D draining. A `kill` of Podman has no signal, so it says nothing.
 */
const RECORDINGS: readonly [name: string, outcomes: readonly string[], states: string][] = [
  ["p05-run-health-stop-rm", ["healthy", "healthy"], "-LL--"],
  ["p06-restart-kill-start", ["healthy", "healthy", "healthy"], "-L--LL--L--"],
  ["p07-pause-unhealthy", ["healthy", "healthy", "unhealthy", "unhealthy"], "-LDLLDD-"],
];

const LETTERS: Readonly<Record<string, string>> = { unknown: "-", live: "L", draining: "D" };

test.each(RECORDINGS)(
  "%s: sees the result of a probe although its event comes first",
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
        await Bun.sleep(OUTCOME_MS); // as slow as Podman
        container.health = left.shift();
      }
      if (Action === "pause" && container !== undefined) container.health = "healthy"; // as in the recording
      const state = (): string => LETTERS[kindOf(discovery)] ?? "?";
      await until("it is seen", () => state() === states[seen.length]).catch(() => undefined);
      seen += state();
    });
    expect(seen).toBe(states);
    expect(readRecording(path)).toHaveLength(states.length);
  },
);

test("a container with the status stopping drains, and requests in flight may finish", async () => {
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
