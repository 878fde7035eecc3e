/**
 * Requests that wait in the compiled binary while their server on a real engine is replaced. Tests that take
 * longer are in tests/waiting.
 */
import { expect, test } from "bun:test";
import { outcomeOf, outcomeOfStream, startLoad } from "../../support/client/load.ts";
import { chat, untilModels } from "../../support/client/requests.ts";
import { startEachTestWithoutServers } from "../../support/engine/each-test.ts";
import { crash } from "../../support/engine/real.ts";
import { recreate, replaceByHand, startService } from "../../support/engine/replace.ts";
import { expectWaited, Patience, server } from "../../support/engine/waiting.ts";
import { untilWaiting, waitsFor } from "../../support/proxy/waiting-requests.ts";
import { dockerCli } from "../../support/server/inference-server/image.ts";
import { within } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;
const CLIENTS = 10;
const LOADING = { LISTEN_DELAY_MS: "300" };

/** Sends a request whose answer takes a quarter of a second. */
function stream(origin: string, model: string): Promise<string> {
  return outcomeOfStream(origin, model, { tokens: 6, token_delay_ms: 50 });
}

startEachTestWithoutServers();

test(
  "Clients that stream see no error while Compose recreates their server, or someone replaces it by hand or restarts it",
  async () => {
    await using patience = await Patience.start();
    const clients = await patience.load(CLIENTS, stream);
    {
      await using _ = clients;
      const recreated = await recreate(patience.old, server("recreated", LOADING));
      await clients.untilMore("200 by recreated");
      const last = await replaceByHand(recreated, server("last", LOADING));
      await clients.untilMore("200 by last");
      await dockerCli("restart", "--time", "60", last.id);
      await untilModels(patience.proxy.origin, ["m"]);
      await clients.untilMore("200 by last");
    }
    expect(clients.outcomes).toEqual(["200 by last", "200 by old", "200 by recreated"]);
    expectWaited(patience.proxy, CLIENTS, 0.3); // the log reports only the first wait within a minute
  },
  TIMEOUT_MS,
);

test(
  "Requests for one model do not wait while the server of another one is replaced",
  async () => {
    await using patience = await Patience.start();
    const { proxy, old } = patience;
    await startService(server("other", { MODELS: "other" }));
    await untilModels(proxy.origin, ["m", "other"]);
    const others = startLoad(proxy.origin, "other", 2, outcomeOf);
    {
      await using _ = others;
      const next = recreate(old, server("next", LOADING));
      await untilModels(proxy.origin, ["other"]);
      expect(await outcomeOf(proxy.origin, "m")).toBe("200 by next");
      await next;
    }
    expect([...others.outcomes.keys()]).toEqual(["200 by other"]);
    expect(others.outcomes.get("200 by other")).toBeGreaterThan(20);
    expect([waitsFor(proxy, "m").length, waitsFor(proxy, "other").length]).toEqual([1, 0]);
  },
  TIMEOUT_MS,
);

test(
  "Requests do not wait for a server that crashes without a restart policy",
  async () => {
    await using patience = await Patience.start();
    const { proxy, old } = patience;
    await crash(old);
    await untilModels(proxy.origin, []);
    const startMs = performance.now();
    // The wait takes no longer than an inspect of the container.
    const atOnce = ["404 model_not_found", "503 backend_unavailable"];
    expect(atOnce).toContain(await outcomeOf(proxy.origin, "m"));
    expect(performance.now() - startMs).toBeLessThan(1_000);
    expect(await outcomeOf(proxy.origin, "m")).toBe("404 model_not_found");
  },
  TIMEOUT_MS,
);

test(
  "Waiting requests get an answer at once when the proxy is stopped",
  async () => {
    await using patience = await Patience.start();
    const { proxy, old } = patience;
    const replaced = recreate(old, server("next", { LISTEN_DELAY_MS: "60000" }));
    await untilModels(proxy.origin, []);
    const answers = Array.from({ length: CLIENTS }, () => chat(proxy.origin, "m"));
    await untilWaiting(proxy, "m", CLIENTS);
    proxy.kill("SIGTERM");
    for (const answer of await within("their answers", Promise.all(answers), 1_000)) {
      expect(answer.status).toBe(503);
      expect(await answer.text()).toMatch(/the proxy is being stopped.*\(waited for [\d.]+ s\)/);
    }
    expect(await within("the proxy's exit", proxy.exited)).toBe(0);
    await replaced;
  },
  TIMEOUT_MS,
);
