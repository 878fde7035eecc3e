import { expect, test } from "bun:test";
import { FakeEngine } from "../../support/engine/fake.ts";
import { startDiscovery, startModelServer } from "../../support/proxy/discovery.ts";
import { play, readRecording } from "../../support/replay/recordings.ts";
import { until } from "../../support/until.ts";

/** The state of the model after each recorded event: - unknown, L live, D draining, U unavailable. */
const RECORDINGS: readonly (readonly [name: string, states: string])[] = [
  ["docker-20.10.24/01-run-healthy-unhealthy-healthy-stop", "--LDLD---"],
  ["docker-20.10.24/02-stop-drain-inflight-3s", "--LDD--"],
  ["docker-20.10.24/03-stop-ignore-term-10s-kill", "--LDD--"],
  ["docker-20.10.24/03c-stop-signal-SIGINT", "--LD--"],
  ["docker-20.10.24/04-docker-kill", "--LD-"],
  ["docker-20.10.24/04b-docker-kill-s-TERM", "--LD-"],
  ["docker-20.10.24/05-docker-kill-s-HUP-survives", "--LL"],
  ["docker-20.10.24/06-crash-exit1", "--L-"],
  ["docker-20.10.24/08-docker-restart", "--LD--UUL"],
  ["docker-20.10.24/09-restart-policy-always-crash", "--L-ULD---"],
  ["docker-20.10.24/09b-restart-policy-crash-loop", "---------"],
  ["docker-20.10.24/10-rm-f-running", "--LD--"],
  ["docker-20.10.24/11-pause-unpause", "--LDDL"],
  ["docker-20.10.24/11b-stop-while-paused", "--LDDD--"],
  ["docker-20.10.24/15-stopped-before-healthy", "-----"],
  ["docker-20.10.24/21-stop-in-restart-backoff", "------------"],
  ["docker-20.10.24/22-rm-f-during-stop", "--LDD---"],
  ["docker-20.10.24/23-stop-twice", "--LDDD---"],
  ["docker-26.1.5/01-run-unhealthy-healthy-stop", "--LLDDLD---"],
  ["docker-26.1.5/03-stop-ignore-term-t2", "--LDD--"],
  ["docker-26.1.5/08-restart", "--LD--UULD--"],
  ["docker-26.1.5/11-pause-unpause", "--LDDL"],
  ["docker-26.1.5/22-rm-f-during-stop", "--LDD---"],
  ["docker-26.1.5/23-stop-twice", "--LDDD---"],
];

const LETTERS = { unknown: "-", live: "L", draining: "D", unavailable: "U" } as const;

test.each(RECORDINGS)("%s: %s", async (name, states) => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  using discovery = startDiscovery(fake);
  await until("the stream is open", () => discovery.fleet.isReady);
  let seen = "";
  let emitted = 0;
  await play(fake, name, models.port, async () => {
    emitted += 1;

    await until("the event has come", () => discovery.received() === emitted);
    await discovery.docker.resync();
    const state = (): string => LETTERS[discovery.table.find("m").kind];
    if (states[seen.length] === "L")
      await until("it is live", () => state() === "L", 1_000).catch(() => undefined);
    seen += state();
  });
  expect(seen).toBe(states);
  expect(readRecording(name)).toHaveLength(states.length);
});
