/** Requests that wait on a real engine and end early: their clients leave, or the proxy stops. */
import { expect, test } from "bun:test";
import { chat, untilModels } from "../support/client/requests.ts";
import { startEachTestWithoutServers } from "../support/engine/each-test.ts";
import { journal } from "../support/engine/real.ts";
import { recreate } from "../support/engine/replace.ts";
import { Patience, server } from "../support/engine/waiting.ts";
import { untilWaiting } from "../support/proxy/waiting-requests.ts";
import { within } from "../support/until.ts";

const TIMEOUT_MS = 120_000;

startEachTestWithoutServers();

test(
  "clients that leave while they wait cost the next server nothing",
  async () => {
    await using patience = await Patience.start();
    const { proxy, old } = patience;
    const replaced = recreate(old, server("next", { LISTEN_DELAY_MS: "3000" }));
    await untilModels(proxy.origin, []);
    const leaving = new AbortController();
    const send = (n: number): Promise<number> =>
      fetch(`${proxy.origin}/v1/chat/completions?n=${n}`, {
        method: "POST",
        body: JSON.stringify({ model: "m", messages: [], pad: "x".repeat(n < 10 ? 3_000_000 : 1) }),
        keepalive: false,
        ...(n < 30 && { signal: leaving.signal }),
      }).then(
        ({ status }) => status,
        () => 0,
      );
    const answers = Array.from({ length: 40 }, (_, n) => send(n));
    await untilWaiting(proxy, "m", 40);
    leaving.abort();
    const next = await replaced;
    expect(await Promise.all(answers)).toEqual([...Array(30).fill(0), ...Array(10).fill(200)]);
    const came = (await journal(next)).filter(({ path }) => path.includes("?n="));
    expect(came.map(({ path, done }) => [path.split("=")[1], done]).sort()).toEqual(
      Array.from({ length: 10 }, (_, n) => [String(30 + n), true]),
    );
  },
  TIMEOUT_MS,
);

test(
  "when the proxy is stopped, waiting requests get an answer at once, and answers in flight complete",
  async () => {
    await using patience = await Patience.start();
    const { proxy, old } = patience;
    const streamed = chat(proxy.origin, "m", { stream: true, tokens: 30, token_delay_ms: 100 });
    await streamed;
    const replaced = recreate(old, server("next"));
    await untilModels(proxy.origin, []);
    const answers = Array.from({ length: 50 }, () => chat(proxy.origin, "m"));
    await untilWaiting(proxy, "m", 50);
    const startMs = performance.now();
    proxy.kill("SIGTERM");
    for (const answer of await within("their answers", Promise.all(answers), 1_000)) {
      expect(answer.status).toBe(503);
      expect(await answer.text()).toMatch(/the proxy is being stopped.*\(waited for [\d.]+ s\)/);
    }
    expect(performance.now() - startMs).toBeLessThan(1_000);
    expect(await (await streamed).text()).toEndWith("data: [DONE]\n\n");
    expect(await within("the proxy's exit", proxy.exited, 5_000)).toBe(0);
    await replaced;
  },
  TIMEOUT_MS,
);
