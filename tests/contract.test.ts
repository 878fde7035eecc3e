/** The numbers that are promised. Tests of behaviour pass shorter ones, and would not see these change. */
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
  ["every engine call but the stream is given up, ms", CALL_TIMEOUT_MS, 5_000],
  ["a resync comes every, ms", RESYNC_MS, 30_000],
  ["one container is looked at no sooner than after, ms", LOOK_PACE_MS, 50],
  ["a fresh stream admits nobody for, ms", SETTLE_MS, 100],
  ["ready at the latest after, ms", READY_TIMEOUT_MS, 10_000],
  ["a read of models", READ_LIMITS, { timeoutMs: 10_000, bytesMax: 16 * 1024 * 1024 }],
  ["models are read again every, ms", REREAD_MS, 60_000],
  ["and on demand at most every, ms", REFRESH_MS, 5_000],
  ["a request waits without headers on a container that is gone, ms", PATIENCE.headersMs, 200],
  ["a read is pending on a container that is gone, ms", PATIENCE.readMs, 5_000],
  ["a hanging connect is given up after, ms", PATIENCE.probeAfterMs + PATIENCE.connectMs, 5_000],
  [
    "a machine that may vanish is tried",
    PATIENCE.vanishing,
    { probeAfterMs: 500, connectMs: 1_000, probeEveryMs: 1_000 },
  ],
  ["an idle client connection is closed after, s", IDLE_TIMEOUT_S, 120],
  ["a client that is to send and is silent is disconnected after, s", UPLOAD_SILENCE_S, 60],
])("%s", (_what, is, promised) => {
  expect(is).toEqual(promised);
});
