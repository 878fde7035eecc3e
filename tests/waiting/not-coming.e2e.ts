/**
 * Servers on a real engine that crash, and successors that never serve. Waiting requests get an answer within
 * seconds when no server will come, although they could wait for 5 minutes.
 */
import { describe, expect, test } from "bun:test";
import { chat, untilModels } from "../support/client/requests.ts";
import { startEachTestWithoutServers } from "../support/engine/each-test.ts";
import { crash, type Server, startServer } from "../support/engine/real.ts";
import { makeWay, prepare, recreate, stop } from "../support/engine/replace.ts";
import { breakServer, expectWaited, Patience, server } from "../support/engine/waiting.ts";
import { untilWaiting } from "../support/proxy/waiting-requests.ts";
import { dockerCli } from "../support/server/inference-server/image.ts";
import { within } from "../support/until.ts";

const TIMEOUT_MS = 120_000;
const WAITING = 20;

/** Exits at once with exit code 1, so that waiting makes no sense. */
const BROKEN = { TOKENS: "broken" };

startEachTestWithoutServers();

type Told = { readonly status: number; readonly text: string; readonly afterMs: number };

async function ask({ proxy }: Patience): Promise<Told> {
  const startMs = performance.now();
  const response = await chat(proxy.origin, "m");
  const text = await response.text();
  return { status: response.status, text, afterMs: performance.now() - startMs };
}

/** Sends requests for a model that no server has now. Resolves when all of them wait. */
async function waitIn(patience: Patience): Promise<readonly Promise<Told>[]> {
  const answers = Array.from({ length: WAITING }, () => ask(patience));
  await untilWaiting(patience.proxy, "m", WAITING);
  return answers;
}

/** Fails unless all requests learn in time that no server will come. @returns the last answer */
async function expectTold(
  answers: readonly Promise<Told>[],
  status: number,
  boundMs: number,
): Promise<string> {
  const all = await within("their answers", Promise.all(answers), boundMs);
  for (const told of all) {
    expect(told.status).toBe(status);
    expect(told.text).toMatch(/\(waited for [\d.]+ s\)/);
  }
  return all.at(-1)!.text;
}

describe("a server that crashes", () => {
  test(
    "and is restarted by the engine: only answers in flight break off",
    async () => {
      const old = server("old", { LISTEN_DELAY_MS: "10000" });
      await using patience = await Patience.start({
        ...old,
        flags: [...(old.flags ?? []), "--restart", "always"],
      });
      const clients = await patience.load(50);
      {
        await using _ = clients;
        await crash(patience.old);
        await clients.untilMore("200 by old");
      }
      const broken = clients.outcomes.filter((outcome) => outcome !== "200 by old");
      for (const outcome of broken) expect(outcome).toMatch(/^(broken off|502 )/);
      const sum = broken.reduce((all, outcome) => all + clients.count(outcome), 0);
      expect(sum).toBeWithin(1, 51);
      expectWaited(patience.proxy, 50, 10);
    },
    TIMEOUT_MS,
  );

  test(
    "without a restart policy: no request waits for it",
    async () => {
      await using patience = await Patience.start();
      await crash(patience.old);
      await untilModels(patience.proxy.origin, []);
      const told = await ask(patience);
      expect([404, 503]).toContain(told.status); // 503 if the proxy had not inspected the container yet
      expect(told.afterMs).toBeLessThan(1_000);
      expect((await ask(patience)).status).toBe(404);
    },
    TIMEOUT_MS,
  );

  test(
    "before it is healthy, again and again: all requests get an answer within seconds, and later ones at once",
    async () => {
      await using patience = await Patience.start();
      const next = await prepare(patience.old, {
        ...server("next", BROKEN),
        flags: ["--restart", "always"],
      });
      await makeWay(patience.old);
      await dockerCli("rename", next.id, patience.old.name);
      const answers = await waitIn(patience);
      await dockerCli("start", next.id);
      const text = await expectTold(answers, 503, 10_000);
      expect(text).toContain("exited with code 1");
      for (let nth = 0; nth < 10; nth += 1) {
        const told = await ask(patience);
        expect(told.status).toBe(503);
        expect(told.text).not.toContain("waited");
        expect(told.afterMs).toBeLessThan(500);
      }
    },
    TIMEOUT_MS,
  );
});

test(
  "a server that has served crashes at every start: all requests get an answer within seconds",
  async () => {
    const old = server("old");
    const flags = [...(old.flags ?? []), "--restart", "always"];
    await using patience = await Patience.start({ ...old, flags });
    await breakServer(patience.old);
    await crash(patience.old);
    await untilModels(patience.proxy.origin, []);
    const told = await within("its answer", ask(patience), 10_000);
    expect(told.status).toBe(503);
    expect(told.text).toContain("exited with code 1 again and again");
    expect((await ask(patience)).afterMs).toBeLessThan(500);
  },
  TIMEOUT_MS,
);

describe("a successor that", () => {
  test(
    "never becomes healthy: all requests get an answer when their time is up, and it says how long they waited",
    async () => {
      await using patience = await Patience.start(server("old"), "5s");
      await recreate(patience.old, server("next", { HEALTHY: "false" }));
      const all = await Promise.all(await waitIn(patience));
      for (const { status, text, afterMs } of all) {
        expect(status).toBe(503);
        expect(text).toMatch(/\(waited for 5(\.\d)? s\)/);
        expect(afterMs).toBeWithin(4_900, 6_500);
      }
      expectWaited(patience.proxy, WAITING, 5);
    },
    TIMEOUT_MS,
  );

  type Ending = (old: Server) => Promise<() => Promise<unknown>>;

  test.each<[string, Ending]>([
    [
      "exits without a restart policy, made by Compose",
      async (old) => {
        const next = await prepare(old, server("next", BROKEN));
        await makeWay(old);
        return () => dockerCli("start", next.id);
      },
    ],
    [
      "exits without a restart policy, made by hand",
      async (old) => {
        await makeWay(old);
        return () => startServer({ ...server("next", BROKEN), name: old.name });
      },
    ],
    [
      "is removed before it is started",
      async (old) => {
        const next = await prepare(old, server("next"));
        await makeWay(old);
        return () => dockerCli("rm", next.id);
      },
    ],
    [
      "is removed while it loads",
      async (old) => {
        const next = await recreate(old, server("next", { LISTEN_DELAY_MS: "60000" }));
        return () => dockerCli("rm", "--force", next.id);
      },
    ],
    [
      "serves another model",
      async (old) => {
        const next = await prepare(old, server("next", { MODELS: "other" }));
        await makeWay(old);
        return () => dockerCli("start", next.id);
      },
    ],
    [
      "is stopped and removed while it loads",
      async (old) => {
        const next = await recreate(old, server("next", { LISTEN_DELAY_MS: "60000" }));
        return () => makeWay(next);
      },
    ],
  ])(
    "%s: all requests get an answer at once",
    async (_what, replace) => {
      await using patience = await Patience.start();
      const end = await replace(patience.old);
      const answers = await waitIn(patience);
      await end();
      await expectTold(answers, 503, 2_000);
    },
    TIMEOUT_MS,
  );

  test(
    "never comes: all requests get an answer 10 s after the server has gone",
    async () => {
      await using patience = await Patience.start();
      await stop(patience.old);
      const startMs = performance.now();
      const answers = await waitIn(patience);
      await dockerCli("rm", patience.old.id);
      await expectTold(answers, 503, 15_000);
      expect(performance.now() - startMs).toBeWithin(9_000, 11_500);
    },
    TIMEOUT_MS,
  );
});
