/**
 * Tasks and nodes of a real swarm fail under the load of fifty clients.
 * Only answers that were already streaming break off.
 */
import { afterAll, beforeAll, describe, test } from "bun:test";
import {
  expectOnlyStreamsBroken,
  loseManager,
  loseWorker,
  spoil,
} from "../support/swarm/faults.ts";
import { Stage } from "../support/swarm/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start();
}, 60_000);
afterAll(() => stage[Symbol.asyncDispose](), 60_000);

describe.each(["drain", "exit"] as const)(
  "servers with this behaviour at SIGTERM: %s",
  (termMode) => {
    test.each([
      ["unhealthy task", spoil],
      ["worker's dockerd stopped", loseWorker("stop")],
      ["worker's dockerd killed", loseWorker("kill")],
      ["manager killed and back", loseManager],
    ])("%s", async (name, fault) => {
      await using service = await stage.service({ termMode });
      const result = await stage.underLoad(`${name}, ${termMode}`, service, () =>
        fault.act(stage, service),
      );
      expectOnlyStreamsBroken(result, fault);
    });
  },
);
