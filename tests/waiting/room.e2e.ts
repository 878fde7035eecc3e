/**
 * Replicas on a real engine that are full and are replaced in the
 * meantime: requests wait for room, and none fails.
 */
import { expect, test } from "bun:test";
import type { Status } from "../../src/status.ts";
import { startEachTestWithoutServers } from "../support/engine/each-test.ts";
import { recreate, startService } from "../support/engine/replace.ts";
import { Patience, server } from "../support/engine/waiting.ts";
import { untilShown } from "../support/proxy/shown-status.ts";
import { waitsFor } from "../support/proxy/waiting-requests.ts";

const TIMEOUT_MS = 120_000;
const CLIENTS = 20;
const MAX_IN_FLIGHT = 4;
const LABELS = { "inference.replica": "true", "inference.max_in_flight": String(MAX_IN_FLIGHT) };

startEachTestWithoutServers();

/** Checks repeatedly how many requests each container has. `stop()` returns the highest number. */
function watchInFlight(origin: string): { readonly stop: () => Promise<number> } {
  let most = 0;
  let watches = true;
  const watching = (async () => {
    while (watches) {
      const response = await fetch(`${origin}/status`, { keepalive: false });
      const { containers } = (await response.json()) as Status;
      most = Math.max(most, ...containers.map(({ in_flight }) => in_flight));
      await Bun.sleep(5); // the time between two checks
    }
  })();
  return {
    stop: async () => {
      watches = false;
      await watching;
      return most;
    },
  };
}

test(
  "One of two full replicas is replaced, then both at once: no request fails, and no replica exceeds its limit",
  async () => {
    const replica = (name: string): ReturnType<typeof server> => ({
      ...server(name, { LISTEN_DELAY_MS: "2000" }),
      labels: LABELS,
    });
    await using patience = await Patience.start(replica("old"));
    const { proxy, old } = patience;
    const other = await startService(replica("other"));
    await untilShown(proxy.origin, other.name, { state: "routed" });
    const inFlight = watchInFlight(proxy.origin);
    const clients = await patience.load(CLIENTS);
    {
      await using _ = clients;
      const next = await recreate(old, replica("next"));
      await clients.untilMore("200 by next");
      await Promise.all([recreate(next, replica("a")), recreate(other, replica("b"))]);
      await clients.untilMore("200 by a");
      await clients.untilMore("200 by b");
    }
    expect(clients.outcomes).toEqual(
      ["a", "b", "next", "old", "other"].map((by) => `200 by ${by}`),
    );
    expect(await inFlight.stop()).toBe(MAX_IN_FLIGHT);
    expect(waitsFor(proxy, "m")).toHaveLength(1);
  },
  TIMEOUT_MS,
);
