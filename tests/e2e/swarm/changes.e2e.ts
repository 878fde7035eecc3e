/**
 * The compiled proxies on a real swarm, under the load of fifty clients. Servers exit at once at SIGTERM, which
 * is the harder case. For other changes and faults, and for servers that finish their answers, see `npm run
 * test:swarm`.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { crash, expectOnlyStreamsBroken, loseWorker } from "../../support/swarm/faults.ts";
import { expectNoneFailed, replaceAll, scaleUpAndDown } from "../../support/swarm/planned.ts";
import { Stage } from "../../support/swarm/stage.ts";
import { until } from "../../support/until.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start();
}, 60_000);
afterAll(() => stage[Symbol.asyncDispose](), 60_000);

test.each([
  ["service update --force, start-first", 3, replaceAll("start-first")],
  ["scale 1 to 3 to 1", 1, scaleUpAndDown],
] as const)(
  "%s: no request fails",
  async (name, replicas, act) => {
    await using service = await stage.service({ termMode: "exit", replicas });
    const result = await stage.underLoad(name, service, () => act(stage, service));
    expectNoneFailed(result, service);
  },
  120_000,
);

test.each([
  ["task crash", crash],
  ["worker's link cut and mended", loseWorker("cut")],
] as const)(
  "%s: only answers that were already streaming break off",
  async (name, fault) => {
    await using service = await stage.service({ termMode: "exit" });
    const result = await stage.underLoad(name, service, () => fault.act(stage, service));
    expectOnlyStreamsBroken(result, fault);
  },
  120_000,
);

test("service rm: requests that began before it get their answers", async () => {
  await using service = await stage.service({ termMode: "exit" });
  let removedAt = 0;
  const { failed } = await stage.underLoad("service rm", service, async () => {
    removedAt = Date.now();
    await service.remove();
    await stage.restartProxy();
    for (const proxy of stage.proxies) {
      const isGone = async (): Promise<boolean> => !(await proxy.models()).includes(service.model);
      await until("its model is gone", isGone, 10_000);
    }
  });
  const refused = failed.filter(
    ({ startedAt, outcome }) => startedAt >= removedAt && /^(404|503) /.test(outcome),
  );
  expect(failed.filter((one) => !refused.includes(one))).toEqual([]);
  expect(refused.length).toBeGreaterThan(0);
}, 120_000);
