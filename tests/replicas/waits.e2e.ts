/** Replicas through the compiled binary in front of a fake engine: tests that take seconds. */
import { expect, test } from "bun:test";
import { CompiledReplicas, cooledMs, type Reaction } from "../support/proxy/compiled-replicas.ts";
import { untilShown } from "../support/proxy/shown-status.ts";
import { blackhole } from "../support/server/blackhole.ts";
import { answer } from "../support/server/wire-server.ts";

const FINE: Reaction = ({ send, server }) => send(answer(200, { "X-By": server.name }, "fine"));

const REPLICA = { "inference.replica": "true" };

test("when connecting to a replica hangs, another one answers", async () => {
  await using two = await CompiledReplicas.start(2);
  using hole = await blackhole();
  const port = new URL(hole.origin).port;
  const labels = { "inference.enable": "true", "inference.port": port, "inference.models": "m" };
  const container = two.engine.add({ name: "hole", labels: { ...labels, ...REPLICA } });
  two.engine.emit(container, "start");
  await untilShown(two.proxy.origin, "hole", { state: "routed" });
  two.play(FINE);
  const all = await Promise.all(Array.from({ length: 3 }, () => two.ask()));
  for (const reply of all) expect(reply).toMatchObject({ status: 200, body: "fine" });
}, 30_000);

test("a replica that asks for an hour of rest gets 5 s", async () => {
  const ms = await cooledMs(answer(503, { "Retry-After": "3600" }, "busy"));
  expect(ms).toBeWithin(4_990, 5_900);
}, 30_000);
