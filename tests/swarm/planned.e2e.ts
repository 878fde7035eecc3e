/**
 * Planned changes of a service on a real swarm, under the load of
 * fifty clients behind two proxies: no request fails.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { isBy } from "../support/swarm/clients.ts";
import { drainNode, expectNoneFailed, replaceAll, rollBack } from "../support/swarm/planned.ts";
import { Stage } from "../support/swarm/stage.ts";
import { until } from "../support/until.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start();
}, 60_000);
afterAll(() => stage[Symbol.asyncDispose](), 60_000);

describe.each(["drain", "exit"] as const)(
  "servers with this behaviour at SIGTERM: %s",
  (termMode) => {
    test.each([
      ["service update --force, start-first", replaceAll("start-first")],
      ["service update --force, stop-first", replaceAll("stop-first")],
      ["an update that is rolled back", rollBack],
      ["node drain", drainNode],
    ])("%s", async (name, act) => {
      await using service = await stage.service({ termMode });
      const result = await stage.underLoad(`${name}, ${termMode}`, service, () =>
        act(stage, service),
      );
      expectNoneFailed(result, service);
    });

    test("the label of a second service is added and removed", async () => {
      const shared = { termMode, model: `shared-${termMode}`, replicas: 1 };
      const replica = { "inference.replica": "true" };
      const labels = { "inference.enable": "true", ...replica };
      await using first = await stage.service({ ...shared, labels });
      await using second = await stage.service({ ...shared, labels: replica });
      const id = (await second.running())[0]?.id ?? "";
      const name = `label added and removed, ${termMode}`;
      const result = await stage.underLoad(name, first, async (clients) => {
        await second.update("--label-add", "inference.enable=true");
        await until(
          "the second service gets requests",
          () => clients.last(100).some(isBy(id)),
          10_000,
        );
        await stage.restartProxy();
        await second.update("--label-rm", "inference.enable");
        await until(
          "the second service gets no more requests",
          () => !clients.last(200).some(isBy(id)),
          20_000,
        );
      });
      expectNoneFailed(result, second);
      expect(result.all.filter(isBy(id)).length).toBeGreaterThan(100);
    });
  },
);
