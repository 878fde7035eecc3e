/**
 * The compiled binary behind each socket proxy of docs/security.md, with the rules of that page, in front of
 * a fake engine. It runs no Docker process, so it can imitate every release of the engine. For a real engine see
 * real-engine/socket-proxy.e2e.ts.
 */

import { describe, expect, test } from "bun:test";
import { modelIds, untilModels } from "../../support/client/requests.ts";
import { provide } from "../../support/debian-package.ts";
import { readText } from "../../support/docs.ts";
import { FakeEngine } from "../../support/engine/fake.ts";
import { type SocketProxy, startSocketProxy } from "../../support/engine/socket-proxy/process.ts";
import { RULE_FOR_TRAEFIK, startWollomatic } from "../../support/engine/socket-proxy/wollomatic.ts";
import { startCompiled } from "../../support/proxy/compiled.ts";
import { until } from "../../support/until.ts";

const PAGE = readText("docs/security.md");
/** The rule for wollomatic's socket proxy, as docs/security.md shows it. */
const OUR_RULE = /-allowGET=([^'`]+)'/.exec(PAGE)?.[1] ?? "";

const missing = await provide("haproxy", "haproxy");
if (missing !== undefined) process.stderr.write(`Not tested with HAProxy's rules: ${missing}\n`);

type Start = (socketPath: string) => Promise<SocketProxy>;

/** What each image allows by default, plus CONTAINERS=1. */
const BY_VARIABLES: readonly [name: string, start: Start][] = [
  ["Tecnativa's", (path) => startSocketProxy(path, {}, "Tecnativa")],
  ["linuxserver's", (path) => startSocketProxy(path, {}, "linuxserver")],
  [
    "linuxserver's, without VERSION",
    (path) => startSocketProxy(path, { VERSION: "0" }, "linuxserver"),
  ],
];
const BY_EXPRESSIONS: readonly [name: string, start: Start][] = [
  ["wollomatic's", (path) => startWollomatic(path, { allowGet: OUR_RULE })],
  [
    "wollomatic's, as set up for Traefik",
    (path) => startWollomatic(path, { allowGet: RULE_FOR_TRAEFIK }),
  ],
];
const STARTS = [...(missing === undefined ? BY_VARIABLES : []), ...BY_EXPRESSIONS];

describe.each(STARTS)("behind %s socket proxy", (_name, start) => {
  test.each(["20.10", "29.0", "29.3"] as const)(
    "the proxy routes, and notices a stop, with Docker %s",
    async (release) => {
      using fake = (await new FakeEngine().start()).become(release);
      using server = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: () => Response.json({ object: "list", data: [{ id: "m" }] }),
      });
      const container = fake.add({ port: server.port ?? 0 });
      await using socketProxy = await start(fake.socketPath);
      await using proxy = await startCompiled({ env: { DOCKER_HOST: socketProxy.host } });
      await untilModels(proxy.origin, ["m"]);
      fake.kill(container);
      await until(
        "the model is no longer listed",
        async () => (await modelIds(proxy.origin)).length === 0,
      );
      expect(proxy.log().filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
    },
  );
});

test("wollomatic's socket proxy with too few rules: the log says what to allow", async () => {
  using fake = await new FakeEngine().start();
  await using socketProxy = await startWollomatic(fake.socketPath, { allowGet: "/version" });
  await using proxy = await startCompiled({ env: { DOCKER_HOST: socketProxy.host } });
  await until("the log says what to allow", () =>
    proxy.logged("allow this request in the socket proxy"),
  );
  const said = proxy.log().map(({ reason }) => String(reason));
  expect(said.filter((message) => message.includes(`-allowGET=${OUR_RULE} `))).toHaveLength(1);
});
