/**
 * The compiled binary behind each socket proxy of docs/security.md, in front of a real swarm manager, with and
 * without the rules that the page gives for a swarm.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hostname } from "node:os";
import type { Status } from "../../../src/status.ts";
import { provide } from "../../support/debian-package.ts";
import { readText } from "../../support/docs.ts";
import { LoneManager, whyNoLoneManager } from "../../support/engine/lone-manager.ts";
import {
  type Allowed,
  type SocketProxy,
  startSocketProxy,
} from "../../support/engine/socket-proxy/process.ts";
import { startWollomatic } from "../../support/engine/socket-proxy/wollomatic.ts";
import { type CompiledProxy, startCompiled } from "../../support/proxy/compiled.ts";
import { buildInferenceImage } from "../../support/server/inference-server/image.ts";
import { until } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;
const PAGE = readText("docs/security.md");
const RULE = /-allowGET=([^'`]+)'/.exec(PAGE)?.[1] ?? "";
/** The paths that the page adds to `version` in wollomatic's rule. */
const MORE = /`version\|(services\|[^`]+)` in place of `version`/.exec(PAGE)?.[1] ?? "";
/** The variables that the page tells the reader to set. */
const FOR_SWARM = Object.fromEntries(
  (/`(SERVICES=1[^`]*)`/.exec(PAGE)?.[1] ?? "").split(" ").map((text) => text.split("=")),
) as Allowed;

const WHY_NOT = whyNoLoneManager() ?? (await provide("haproxy", "haproxy"));
if (WHY_NOT !== undefined) console.log(`Socket proxies of a swarm are not tested: ${WHY_NOT}`);

const manager = new LoneManager();

beforeAll(async () => {
  if (WHY_NOT !== undefined) return;
  await manager.start();
  await manager.initSwarm();
  await manager.docker("network", "create", "--driver", "overlay", "inference");
  const image = await buildInferenceImage(manager.docker);
  const labels = ["--label", "inference.enable=true", "--container-label", "inference.port=8000"];
  await manager.docker(
    ...["service", "create", "--detach", "--no-resolve-image", "--name", "llm"],
    ...["--network", "inference", "--endpoint-mode", "dnsrr", ...labels, image],
  );
  await until(
    "its container runs",
    async () => (await manager.docker("ps", "--quiet")) !== "",
    20_000,
  );
}, TIMEOUT_MS);

afterAll(() => manager[Symbol.asyncDispose](), TIMEOUT_MS);

async function swarmOf(proxy: CompiledProxy): Promise<Status["swarm"]> {
  const reply = await fetch(`${proxy.origin}/status`);
  return ((await reply.json()) as Status).swarm;
}

type Start = (socketPath: string) => Promise<SocketProxy>;

const STARTS: readonly [name: string, allowing: Start, refusing: Start][] = [
  [
    "Tecnativa's",
    (path) => startSocketProxy(path, FOR_SWARM, "Tecnativa"),
    (path) => startSocketProxy(path, {}, "Tecnativa"),
  ],
  [
    "linuxserver's",
    (path) => startSocketProxy(path, FOR_SWARM, "linuxserver"),
    (path) => startSocketProxy(path, {}, "linuxserver"),
  ],
  [
    "wollomatic's",
    (path) => startWollomatic(path, { allowGet: RULE.replace("version", `version|${MORE}`) }),
    (path) => startWollomatic(path, { allowGet: RULE }),
  ],
];

describe.skipIf(WHY_NOT !== undefined).each(STARTS)("behind %s socket proxy", (_name, ...start) => {
  const [allowing, refusing] = start;

  test(
    "with the rules of docs/security.md the proxy follows the swarm",
    async () => {
      await using socketProxy = await allowing(manager.socketPath);
      await using proxy = await startCompiled({ env: { DOCKER_HOST: socketProxy.host } });
      await until("the task and its node are known", async () => {
        const [service] = (await swarmOf(proxy))?.services ?? [];
        return service?.name === "llm" && service.tasks[0]?.node === hostname();
      });
      expect(await swarmOf(proxy)).toMatchObject({ state: "followed", reason: null });
      expect(JSON.stringify(proxy.log())).not.toContain("allow");
    },
    TIMEOUT_MS,
  );

  test(
    "without the rules the proxy follows only containers, and logs once what to allow, in the words of docs/security.md",
    async () => {
      await using socketProxy = await refusing(manager.socketPath);
      await using proxy = await startCompiled({ env: { DOCKER_HOST: socketProxy.host } });
      await until(
        "the proxy knows that the swarm is forbidden",
        async () => (await swarmOf(proxy))?.state === "forbidden",
      );
      const words = Object.entries(FOR_SWARM).map((entry) => entry.join("="));
      expect((await swarmOf(proxy))?.reason).toContain(words.join(" "));
      const said = proxy.log().filter(({ reason }) => String(reason).includes(words.join(" ")));
      expect(said).toHaveLength(1);
    },
    TIMEOUT_MS,
  );
});
