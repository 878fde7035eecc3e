/**
 * WebSockets through the compiled binary while their containers stop, die, are drained or replaced on a real
 * engine. Tests that take longer are in tests/waiting.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { converse } from "../../support/client/websocket.ts";
import {
  crash,
  removeLeftovers,
  removeServers,
  type Server,
  startProxy,
  startServer,
} from "../../support/engine/real.ts";
import {
  begin,
  earlyEndsIn,
  endsAt,
  refusal,
  TIME_UP,
  talk,
  talker,
  turn,
} from "../../support/engine/websockets.ts";
import { type CompiledProxy, runCompiled } from "../../support/proxy/compiled.ts";
import { untilShown } from "../../support/proxy/shown-status.ts";
import { untilWaiting } from "../../support/proxy/waiting-requests.ts";
import { buildInferenceImage, dockerCli } from "../../support/server/inference-server/image.ts";
import { until, within } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;

/** One server for each test, so that all can start at the same time. */
const SERVERS = {
  deaf: talker("deaf", { TERM_MODE: "ignore" }),
  uvicorn: talker("uvicorn"),
  killed: talker("killed"),
  crashing: talker("crashing"),
  abrupt: talker("abrupt", { TERM_MODE: "abrupt" }),
  drained: talker("drained"),
  narrow: { ...talker("narrow"), labels: { "inference.max_in_flight": "1" } },
  restarted: talker("restarted", { LISTEN_DELAY_MS: "300" }),
} as const;

/** Only the containers of this run, not of another test file. */
let servers: Record<keyof typeof SERVERS, Server>;
let proxy: CompiledProxy;

beforeAll(async () => {
  await removeLeftovers();
  await buildInferenceImage();
  const started = Object.entries(SERVERS).map(
    async ([key, init]) => [key, await startServer(init)] as const,
  );
  servers = Object.fromEntries(await Promise.all(started)) as typeof servers;
  proxy = await startProxy({ PROXY_DRAIN_TIMEOUT: "1s", PROXY_WAIT_TIMEOUT: "20s" });
  for (const { name } of Object.values(servers)) {
    await untilShown(proxy.origin, name, { state: "routed" });
  }
}, 120_000);

afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await removeServers();
}, TIMEOUT_MS);

/** Waits for the log line about WebSockets of a server that ended early. @returns its reason */
async function reasonInLog({ name }: Server): Promise<unknown> {
  await until("the log reports it", () => earlyEndsIn(proxy, name).length > 0);
  return earlyEndsIn(proxy, name)[0]?.["reason"];
}

describe("docker stop", () => {
  test(
    "of a server that keeps running: 1012 after PROXY_DRAIN_TIMEOUT, and messages pass until then",
    async () => {
      const { deaf } = servers;
      const client = await talk(proxy.origin, "deaf");
      const startMs = performance.now();
      const stopped = dockerCli("stop", "--time", "2", deaf.name);
      await untilShown(proxy.origin, deaf.name, { state: "stopping", in_flight: 1 });
      await turn(client);
      expect(await client.closed()).toEqual(TIME_UP);
      expect(performance.now() - startMs).toBeWithin(1_000, 2_500);
      await until("its server sees the end", async () => (await endsAt(deaf))[0] !== null);
      expect(await endsAt(deaf)).toMatchObject([{ code: 1001, by: "client" }]);
      expect(await reasonInLog(deaf)).toBe("the drain timeout of 1 s expired");
      await stopped;
    },
    TIMEOUT_MS,
  );

  test(
    "of a server that closes its WebSockets itself, as uvicorn does: the client gets its Close frame unchanged",
    async () => {
      const client = await talk(proxy.origin, "uvicorn");
      const stopped = dockerCli("stop", servers.uvicorn.name);
      expect(await client.closed()).toEqual({ code: 1012, reason: "" });
      await stopped;
      expect(earlyEndsIn(proxy, servers.uvicorn.name)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

type Death = {
  readonly by: string;
  readonly server: keyof typeof SERVERS;
  readonly end: (server: Server) => Promise<unknown>;
  /** The text in the reason of the Close frame. */
  readonly brief: string;
  readonly logged: RegExp;
};

describe("a container that dies: 1011 with the reason", () => {
  const cases: readonly Death[] = [
    {
      by: "docker kill",
      server: "killed",
      end: ({ name }) => dockerCli("kill", "--signal", "KILL", name),
      brief: "was killed",
      logged:
        /^its container was killed by docker kill or docker rm -f, [\d.]+ m?s into the longest of the connections$/,
    },
    {
      by: "a crash",
      server: "crashing",
      end: crash,
      brief: "exited with code 1",
      logged: /^its container exited with code 1 [\d.]+ m?s into the longest of the connections$/,
    },
    {
      by: "docker stop, without a Close frame",
      server: "abrupt",
      end: ({ name }) => dockerCli("stop", name),
      brief: "was stopped",
      logged: /^its container was stopped [\d.]+ m?s into the longest of the connections$/,
    },
  ];
  test.each(cases)(
    "by $by",
    async ({ server: key, end, brief, logged }) => {
      const server = servers[key];
      const clients = await Promise.all([1, 2, 3].map(() => talk(proxy.origin, key)));
      for (const client of clients) begin(client, { tokens: 1_000, token_delay_ms: 20 });
      const startMs = performance.now();
      await end(server);
      for (const client of clients) {
        expect(await client.closed()).toEqual({ code: 1011, reason: `the server ${brief}` });
      }
      expect(performance.now() - startMs).toBeLessThan(5_000);
      expect(await reasonInLog(server)).toMatch(logged);
    },
    TIMEOUT_MS,
  );
});

test(
  "drain: new WebSockets wait, open ones have PROXY_DRAIN_TIMEOUT, and the command waits for their end",
  async () => {
    const { drained } = servers;
    const [stays, ends] = [
      await talk(proxy.origin, "drained"),
      await talk(proxy.origin, "drained"),
    ];
    const env = { PROXY_PORT: String(proxy.port) };
    const command = runCompiled(env, ["drain", drained.name]);
    await untilShown(proxy.origin, drained.name, { state: "drained", in_flight: 2 });
    const next = talk(proxy.origin, "drained");
    await untilWaiting(proxy, "drained", 1);
    await turn(stays);
    ends.socket.close(1000, "done");
    expect(await stays.closed()).toEqual(TIME_UP);
    expect(await command).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`${drained.name}: drained; no requests left\n`),
    });
    await until("its server sees the end", async () =>
      (await endsAt(drained)).every((end) => end !== null),
    );
    expect(await endsAt(drained)).toMatchObject([
      { code: 1001, by: "client" },
      { code: 1000, reason: "done", by: "client" },
    ]);
    expect((await runCompiled(env, ["undrain", drained.name])).code).toBe(0);
    await turn(await next);
  },
  TIMEOUT_MS,
);

test(
  "inference.max_in_flight and status count them",
  async () => {
    await using strict = await startProxy();
    await untilShown(strict.origin, servers.narrow.name, { state: "routed" });
    const client = await talk(strict.origin, "narrow");
    await untilShown(strict.origin, servers.narrow.name, { in_flight: 1 });
    expect(await refusal(strict.origin, "narrow")).toBe("429 backend_saturated");
    client.socket.close();
    await untilShown(strict.origin, servers.narrow.name, { in_flight: 0 }, 3_000);
    (await talk(strict.origin, "narrow")).socket.close();
  },
  TIMEOUT_MS,
);

test(
  "a handshake waits for room, and for a container that restarts, also for /v1/responses",
  async () => {
    const narrow = await talk(proxy.origin, "narrow");
    const next = talk(proxy.origin, "narrow");
    await untilWaiting(proxy, "narrow", 1);
    narrow.socket.close();
    await turn(await next);

    await dockerCli("kill", "--signal", "TERM", servers.restarted.name); // it exits by itself
    await untilShown(proxy.origin, servers.restarted.name, { state: "stopped" });
    const realtime = talk(proxy.origin, "restarted");
    const responses = converse(`${proxy.origin}/v1/responses?model=restarted`);
    await untilWaiting(proxy, "restarted", 2);
    await dockerCli("start", servers.restarted.name);
    await turn(await within("Realtime", realtime, 20_000));
    await turn(await within("Responses", responses, 20_000));
  },
  TIMEOUT_MS,
);

test(
  "SIGTERM of the proxy: WebSockets have time to finish, then get 1012; if none is left in time, it exits 0 and cuts nothing",
  async () => {
    const env = { PROXY_DRAIN_TIMEOUT: "700ms" };
    await using slow = await startProxy(env);
    await using quick = await startProxy({ PROXY_DRAIN_TIMEOUT: "10s" });
    for (const { origin } of [slow, quick]) {
      await until(
        "the container is routed",
        async () => (await refusal(origin, "none")) === "404 model_not_found",
      );
    }
    const cut = await talk(slow.origin, "drained");
    const done = await talk(quick.origin, "drained");
    for (const each of [slow, quick]) each.kill("SIGTERM");
    const answered = begin(done, { tokens: 5, token_delay_ms: 50 });
    await answered();
    done.socket.close(1000, "done");
    expect(await done.closed()).toEqual({ code: 1000, reason: "done" });
    expect(await within("the proxy's exit", quick.exited)).toBe(0);
    expect(quick.logged("cut")).toBe(false);
    expect(await cut.closed()).toEqual(TIME_UP);
    expect(await within("the proxy's exit", slow.exited)).toBe(0);
  },
  TIMEOUT_MS,
);
