/** Servers on a real engine that do not finish their answers when they are stopped, with clients that stream. */
import { describe, expect, test } from "bun:test";
import { outcomeOf } from "../support/client/load.ts";
import { startEachTestWithoutServers } from "../support/engine/each-test.ts";
import { type Server, startServer } from "../support/engine/real.ts";
import { recreate } from "../support/engine/replace.ts";
import { type Clients, expectWaited, Patience, server } from "../support/engine/waiting.ts";
import { dockerCli } from "../support/server/inference-server/image.ts";

const TIMEOUT_MS = 120_000;
const CLIENTS = 50;
const LOADING = { LISTEN_DELAY_MS: "3000" };

startEachTestWithoutServers();

/** Fails unless each client has seen at most one answer that broke off, and no other fault. */
function expectOnlyBroken(clients: Clients, ...complete: readonly string[]): void {
  const broken = clients.outcomes.filter((outcome) => !complete.includes(outcome));
  for (const outcome of broken) expect(outcome).toMatch(/^(broken off|502 )/);
  const sum = broken.reduce((all, outcome) => all + clients.count(outcome), 0);
  expect(sum).toBeWithin(1, CLIENTS + 1);
}

type Replace = (old: Server) => Promise<unknown>;

const old = server("old", { TERM_MODE: "exit" });
const next = server("next", { ...LOADING, TERM_MODE: "exit" });

describe(`with ${CLIENTS} clients that stream, only answers in flight break off`, () => {
  test.each<[string, readonly string[], Replace]>([
    ["when Compose replaces a server that exits at once", [], (last) => recreate(last, next)],
    [
      "after docker rm -f, and docker run",
      [],
      async ({ id, name }) => {
        await dockerCli("rm", "--force", id);
        await startServer({ ...next, name });
      },
    ],
    [
      "after docker stop of a container with --rm, and docker run",
      ["--rm"],
      async ({ id, name }) => {
        await dockerCli("stop", id);
        await dockerCli("wait", id).catch(() => undefined); // until it is removed
        await startServer({ ...next, name });
      },
    ],
  ])(
    "%s",
    async (_what, flags, replace) => {
      const init = { ...old, flags: [...(old.flags ?? []), ...flags] };
      await using patience = await Patience.start(init);
      const clients = await patience.load(CLIENTS);
      {
        await using _ = clients;
        await replace(patience.old);
        await clients.untilMore("200 by next");
      }
      expectOnlyBroken(clients, "200 by old", "200 by next");
      expectWaited(patience.proxy, CLIENTS, 3);
    },
    TIMEOUT_MS,
  );
});

test(
  "The next server makes answers that have not begun, although their own server exits at once when it is stopped",
  async () => {
    await using patience = await Patience.start(old);
    const fields = { tokens: 1, first_token_delay_ms: 1_000 };
    const clients = await patience.load(CLIENTS, (origin, model) =>
      outcomeOf(origin, model, fields),
    );
    {
      await using _ = clients;
      await recreate(patience.old, next);
      await clients.untilMore("200 by next");
    }
    expect(clients.outcomes).toEqual(["200 by next", "200 by old"]);
  },
  TIMEOUT_MS,
);
