/** Servers on a real engine are replaced or restarted, and load for 10 s. Clients that stream see no error. */
import { describe, expect, test } from "bun:test";
import { outcomeOf, startLoad } from "../support/client/load.ts";
import { untilModels } from "../support/client/requests.ts";
import { STREAMING } from "../support/client/streaming.ts";
import { startEachTestWithoutServers } from "../support/engine/each-test.ts";
import {
  makeWay,
  prepare,
  REPLACEMENTS,
  recreate,
  startService,
} from "../support/engine/replace.ts";
import { expectWaited, Patience, server } from "../support/engine/waiting.ts";
import { waitsFor } from "../support/proxy/waiting-requests.ts";
import { dockerCli } from "../support/server/inference-server/image.ts";

const TIMEOUT_MS = 120_000;
const CLIENTS = 50;
const LOAD_S = 10;
const LOADING = { LISTEN_DELAY_MS: `${LOAD_S}000` };

const BODIES = {
  "application/json": `{"model":"m","pad":"${"ä".repeat(4 * 1024 * 1024)}"}`,
  "multipart/form-data; boundary=x":
    '--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--x--\r\n',
};

startEachTestWithoutServers();

describe.each(Object.entries(STREAMING))(
  `${CLIENTS} clients that stream, by %s, see no error`,
  (_by, send) => {
    test.each(Object.entries(REPLACEMENTS))(
      "while their server is replaced: %s",
      async (_how, replace) => {
        await using patience = await Patience.start();
        const clients = await patience.load(CLIENTS, send);
        {
          await using _ = clients;
          await replace(patience.old, server("next", LOADING));
          await clients.untilMore("200 by next");
        }
        expect(clients.outcomes).toEqual(["200 by next", "200 by old"]);
        expectWaited(patience.proxy, CLIENTS, LOAD_S);
      },
      TIMEOUT_MS,
    );

    test(
      "while their server is restarted",
      async () => {
        await using patience = await Patience.start(server("old", LOADING));
        const clients = await patience.load(CLIENTS, send);
        {
          await using _ = clients;
          await dockerCli("restart", "--time", "60", patience.old.id);
          await clients.untilMore("200 by old");
        }
        expect(clients.outcomes).toEqual(["200 by old"]);
        expectWaited(patience.proxy, CLIENTS, LOAD_S);
      },
      TIMEOUT_MS,
    );
  },
);

test(
  "requests wait for a server that is unhealthy while it loads, as for one that is starting",
  async () => {
    await using patience = await Patience.start();
    const clients = await patience.load(CLIENTS);
    {
      await using _ = clients;
      const next = server("next", LOADING);
      const flags = ["--health-interval", "500ms", "--health-retries", "2"];
      await recreate(patience.old, { ...next, flags });
      await clients.untilMore("200 by next");
    }
    expect(clients.outcomes).toEqual(["200 by next", "200 by old"]);
    expectWaited(patience.proxy, CLIENTS, LOAD_S);
  },
  TIMEOUT_MS,
);

test(
  "while the server of one model is replaced, requests for another one do not wait",
  async () => {
    await using patience = await Patience.start();
    const { proxy, old } = patience;
    await startService(server("other", { MODELS: "other" }));
    await untilModels(proxy.origin, ["m", "other"]);
    let longestMs = 0;
    const timed = async (...[origin, model]: Parameters<typeof outcomeOf>): Promise<string> => {
      const startMs = performance.now();
      const outcome = await outcomeOf(origin, model);
      longestMs = Math.max(longestMs, performance.now() - startMs);
      return outcome;
    };
    const clients = await patience.load(CLIENTS);
    const others = startLoad(proxy.origin, "other", 5, timed);
    {
      await using _ = clients;
      await using __ = others;
      await recreate(old, server("next", LOADING));
      await clients.untilMore("200 by next");
    }
    expect(clients.outcomes).toEqual(["200 by next", "200 by old"]);
    expectWaited(proxy, CLIENTS, LOAD_S);
    expect([...others.outcomes.keys()]).toEqual(["200 by other"]);
    expect(others.outcomes.get("200 by other")).toBeGreaterThan(LOAD_S * 50);
    expect(longestMs).toBeLessThan(1_000);
    expect(waitsFor(proxy, "other")).toEqual([]);
  },
  TIMEOUT_MS,
);

test.each(Object.entries(REPLACEMENTS).filter(([how]) => !how.startsWith("by hand")))(
  "a server is replaced again while it loads, and so is its successor: %s",
  async (_how, replace) => {
    await using patience = await Patience.start();
    const clients = await patience.load(CLIENTS);
    {
      await using _ = clients;
      const loading = { LISTEN_DELAY_MS: "60000" };
      const first = await replace(patience.old, server("first", loading));
      const second = await replace(first, server("second", loading));
      await replace(second, server("next"));
      await clients.untilMore("200 by next");
    }
    expect(clients.outcomes).toEqual(["200 by next", "200 by old"]);
    expect(waitsFor(patience.proxy, "m")).toHaveLength(1);
  },
  TIMEOUT_MS,
);

test(
  "requests wait for a server that is restarted while it loads",
  async () => {
    await using patience = await Patience.start();
    const clients = await patience.load(CLIENTS);
    {
      await using _ = clients;
      const next = await recreate(patience.old, server("next", { LISTEN_DELAY_MS: "4000" }));
      await Bun.sleep(2_000); // the server loads
      await dockerCli("restart", next.id);
      await clients.untilMore("200 by next");
    }
    expect(clients.outcomes).toEqual(["200 by next", "200 by old"]);
    expectWaited(patience.proxy, CLIENTS, 6);
  },
  TIMEOUT_MS,
);

test(
  "requests wait for a container that Compose has created and starts late",
  async () => {
    await using patience = await Patience.start();
    const { old } = patience;
    const clients = await patience.load(CLIENTS);
    {
      await using _ = clients;
      const next = await prepare(old, server("next"));
      await makeWay(old);
      await dockerCli("rename", next.id, old.name);
      await Bun.sleep(15_000); // Compose waits for another service: depends_on with service_healthy
      await dockerCli("start", next.id);
      await clients.untilMore("200 by next");
    }
    expect(clients.outcomes).toEqual(["200 by next", "200 by old"]);
    expectWaited(patience.proxy, CLIENTS, 15);
  },
  TIMEOUT_MS,
);

test(
  "a body of 8 MiB and a form wait like a small body, and reach the next server complete",
  async () => {
    await using patience = await Patience.start();
    const { proxy, old } = patience;
    const replaced = recreate(old, server("next", { LISTEN_DELAY_MS: "2000" }));
    await untilModels(proxy.origin, []);
    const answers = Object.entries(BODIES).map(async ([contentType, body]) => {
      const headers = { "content-type": contentType };
      const answer = await fetch(`${proxy.origin}/v1/echo`, { method: "POST", headers, body });
      return [answer.headers.get("x-served-by"), (await answer.text()) === body];
    });
    await replaced;
    expect(await Promise.all(answers)).toEqual(Array(2).fill(["next", true]));
    expectWaited(proxy, 2, 2);
  },
  TIMEOUT_MS,
);
