/** One container on a real engine, replaced in all ways for two minutes, under the load of 50 clients. */
import { expect, test } from "bun:test";
import { mixedRequests } from "../support/client/load.ts";
import { startEachTestWithoutServers } from "../support/engine/each-test.ts";
import { REPLACEMENTS } from "../support/engine/replace.ts";
import { Patience, server } from "../support/engine/waiting.ts";
import { residentMib } from "../support/process/figures.ts";
import { untilWaiting } from "../support/proxy/waiting-requests.ts";
import { dockerCli } from "../support/server/inference-server/image.ts";

const CLIENTS = 50;
const SOAK_MS = 120_000;
/** The highest number of replacements, in case each takes no time. */
const TIMES_MAX = 200;

startEachTestWithoutServers();

test(
  "no request fails",
  async () => {
    await using patience = await Patience.start();
    const { proxy } = patience;
    const clients = await patience.load(CLIENTS, mixedRequests());
    const firstMib = residentMib(proxy.pid);
    const ways = Object.values(REPLACEMENTS);
    const endMs = performance.now() + SOAK_MS;
    let current = patience.old;
    let name = "old";
    let times = 0;
    {
      await using _ = clients;
      for (; performance.now() < endMs && times < TIMES_MAX; times += 1) {
        const replace = ways[times % (ways.length + 1)];
        if (replace === undefined) {
          await dockerCli("restart", "--time", "60", current.id);
        } else {
          name = `server ${times}`;
          current = await replace(current, server(name, { LISTEN_DELAY_MS: "500" }));
        }
        await clients.untilMore(`200 by ${name}`);
        expect(clients.outcomes.filter((outcome) => !outcome.startsWith("200 by "))).toEqual([]);
      }
    }
    const sent = clients.outcomes.reduce((sum, outcome) => sum + clients.count(outcome), 0);
    const grewMib = Math.round(residentMib(proxy.pid) - firstMib);
    console.log(
      `The server was replaced ${times} times under ${sent} requests, and none failed; ${grewMib} MiB more.`,
    );
    expect(clients.outcomes.filter((outcome) => !outcome.startsWith("200 by "))).toEqual([]);
    expect(times).toBeGreaterThanOrEqual(10);
    expect(sent).toBeGreaterThan(CLIENTS * times);
    await untilWaiting(proxy, "m", 0);
    expect(proxy.log().filter(({ level }) => level === "error")).toEqual([]);
    expect(proxy.stderr()).toBe("");
  },
  SOAK_MS + 180_000,
);
