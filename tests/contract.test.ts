/** The documented numbers. Tests of behaviour use shorter ones and would not notice a change. */
import { expect, test } from "bun:test";
import { CALL_TIMEOUT_MS } from "../src/engine/engine.ts";
import { REFRESH_MS } from "../src/fleet/fleet.ts";
import { REREAD_MS } from "../src/fleet/model-reading.ts";
import { READ_LIMITS } from "../src/fleet/models.ts";
import { READY_TIMEOUT_MS } from "../src/fleet/readiness.ts";
import { PATIENCE } from "../src/proxy/upstream-abort.ts";
import { IDLE_TIMEOUT_S, UPLOAD_SILENCE_S } from "../src/server.ts";
import { LOOK_PACE_MS, SETTLE_MS } from "../src/sources/docker/docker.ts";
import { RESYNC_MS } from "../src/sources/docker/follow.ts";

test.each<[what: string, is: unknown, promised: unknown]>([
  ["timeout of engine calls except the stream, ms", CALL_TIMEOUT_MS, 5_000],
  ["time between resyncs, ms", RESYNC_MS, 30_000],
  ["shortest time between two inspections of a container, ms", LOOK_PACE_MS, 50],
  ["time without admissions after a new stream, ms", SETTLE_MS, 100],
  ["longest time until ready, ms", READY_TIMEOUT_MS, 10_000],
  ["limits of a read of models", READ_LIMITS, { timeoutMs: 10_000, bytesMax: 16 * 1024 * 1024 }],
  ["time between reads of models, ms", REREAD_MS, 60_000],
  ["shortest time between reads on demand, ms", REFRESH_MS, 5_000],
  ["longest wait for headers from a container that is gone, ms", PATIENCE.headersMs, 200],
  ["longest read from a container that is gone, ms", PATIENCE.readMs, 5_000],
  ["timeout of a hanging connect, ms", PATIENCE.probeAfterMs + PATIENCE.connectMs, 5_000],
  [
    "probes of a machine that may vanish",
    PATIENCE.vanishing,
    { probeAfterMs: 500, connectMs: 1_000, probeEveryMs: 1_000 },
  ],
  ["timeout of an idle client connection, s", IDLE_TIMEOUT_S, 120],
  ["timeout of a silent client during an upload, s", UPLOAD_SILENCE_S, 60],
])("%s", (_what, is, promised) => {
  expect(is).toEqual(promised);
});
