import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { rawConnect } from "../support/client/raw-http.ts";
import { chat } from "../support/client/requests.ts";
import { rawRequest } from "../support/proxy/in-process.ts";
import { narrow, startPatientProxy } from "../support/proxy/waiting.ts";
import { makeBackend } from "../support/server/backends.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until, within } from "../support/until.ts";

type ErrorBody = { readonly error: { readonly code: string; readonly message: string } };

async function errorOf(response: Response | Promise<Response>): Promise<string> {
  const answer = await within("an answer", Promise.resolve(response));
  const { error } = (await answer.json()) as ErrorBody;
  return `${answer.status} ${error.code}: ${error.message}`;
}

const OLD_RUN = { source: "docker", id: "old", startedAtMs: 1 };
const EXPECTED = { models: [{ id: "m" }] };

describe("A request waits", () => {
  test("while the only server of its model drains, and goes to the next one", async () => {
    using next = fakeBackend(() => new Response("from the next"));
    const old = makeBackend({ run: OLD_RUN });
    using proxy = startPatientProxy([old]);
    proxy.table.drain(old);
    const answer = chat(proxy.origin, "m");
    await proxy.untilWaiting(1);
    proxy.table.remove(old, "run-over");
    proxy.table.expect(OLD_RUN, EXPECTED);
    expect(proxy.room.counts.get("m")).toBe(1);
    proxy.table.admit(makeBackend({ origin: next.origin, run: OLD_RUN }));
    expect(await (await within("an answer", answer)).text()).toBe("from the next");
    expect(next.received).toHaveLength(1);
    expect(proxy.room.counts.size).toBe(0);
  });

  test("while its server starts again, and gets an error as soon as the server cannot come back", async () => {
    using proxy = startPatientProxy([]);
    proxy.table.expect(OLD_RUN, EXPECTED);
    const answer = chat(proxy.origin, "m");
    await proxy.untilWaiting(1);
    proxy.table.expect(OLD_RUN, undefined, "exited with code 1");
    expect(await errorOf(answer)).toMatch(
      /^503 backend_unavailable: .* the server of model "m" exited with code 1, and no server with this model has taken its place; start one, or ask for another model \(waited for 0\.\d s\)$/,
    );
    expect(await errorOf(chat(proxy.origin, "m"))).toBe(
      '404 model_not_found: Cannot route the request: no server has model "m" any more: its last server exited with code 1; the proxy has no models at the moment',
    );
  });

  test.each([
    ["is a crash loop", { isHopeless: true, says: "exited with code 1 again and again" }],
    ["is misconfigured", { isHopeless: true, trouble: "misconfigured" } as const],
  ])("but not for a server that %s: it gets an error at once", async (_what, expectation) => {
    using proxy = startPatientProxy([]);
    proxy.table.expect(OLD_RUN, { ...EXPECTED, ...expectation });
    expect(await errorOf(chat(proxy.origin, "m"))).toStartWith("503 backend_unavailable: ");
    proxy.table.expect(OLD_RUN, EXPECTED);
    const answer = chat(proxy.origin, "m");
    await proxy.untilWaiting(1);
    proxy.table.expect(OLD_RUN, { ...EXPECTED, ...expectation });
    expect(await errorOf(answer)).toMatch(/^503 backend_unavailable: .* \(waited for 0\.\d s\)$/);
  });

  test("until the wait timeout, and then gets the answer of a request that does not wait, with its waiting time", async () => {
    using proxy = startPatientProxy([], { timeoutMs: 150 });
    proxy.table.expect(OLD_RUN, { ...EXPECTED, says: "ran out of memory and is starting again" });
    expect(await errorOf(chat(proxy.origin, "m"))).toMatch(
      /^503 backend_unavailable: Cannot route the request: the server of model "m" ran out of memory and is starting again; try again shortly \(waited for 0\.[12] s\)$/,
    );
    const full = narrow("http://127.0.0.1:1");
    full.acquire();
    proxy.table.admit(full);
    const response = await chat(proxy.origin, "m");
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await errorOf(response)).toMatch(/^429 backend_saturated: .* \(waited for 0\.[12] s\)$/);
  });

  test("neither for an unknown model, nor if only its query names the model", async () => {
    using proxy = startPatientProxy([]);
    proxy.table.expect(OLD_RUN, EXPECTED);
    expect(await errorOf(chat(proxy.origin, "other"))).toStartWith("404 model_not_found: ");
    const byQuery = fetch(`${proxy.origin}/v1/x?model=m`, { method: "POST", body: "{}" });
    expect(await errorOf(byQuery)).toStartWith("503 backend_unavailable: ");
    expect(await errorOf(fetch(`${proxy.origin}/v1/models/m`))).toStartWith("503 ");
  });

  test("if its form names the model", async () => {
    using server = fakeBackend();
    using proxy = startPatientProxy([]);
    proxy.table.expect(OLD_RUN, EXPECTED);
    const form = new FormData();
    form.set("file", new Blob(["x".repeat(1_000)]), "a.wav");
    form.set("model", "m");
    const answer = fetch(`${proxy.origin}/v1/audio/transcriptions`, { method: "POST", body: form });
    await proxy.untilWaiting(1);
    proxy.table.admit(makeBackend({ origin: server.origin, run: OLD_RUN }));
    expect((await within("an answer", answer)).status).toBe(200);
  });

  test("in one order with all others for its model, whatever name they use", async () => {
    const names: string[] = [];
    using server = fakeBackend(({ body }) => {
      names.push((JSON.parse(new TextDecoder().decode(body)) as { model: string }).model);
      return new Response("x");
    });
    using proxy = startPatientProxy([]);
    const models = [{ id: "m", aliases: ["alias"] }];
    proxy.table.expect(OLD_RUN, { models });
    const answers: Promise<Response>[] = [];
    for (const name of ["alias", "m", "alias", "m"]) {
      answers.push(chat(proxy.origin, name));
      await proxy.untilWaiting(answers.length);
    }
    const run = { run: OLD_RUN, models };
    proxy.table.admit(makeBackend({ origin: server.origin, ...run, load: narrow("").load }));
    for (const answer of answers) await (await within("an answer", answer)).text();
    expect(names).toEqual(["alias", "m", "alias", "m"]);
  });
});

describe("Requests that wait for room", () => {
  test("go first in, first out, and never exceed the limit of a server", async () => {
    const order: string[] = [];
    let [atOnce, mostAtOnce] = [0, 0];
    using server = fakeBackend(async ({ body }) => {
      order.push((JSON.parse(new TextDecoder().decode(body)) as { n: string }).n);
      atOnce += 1;
      mostAtOnce = Math.max(mostAtOnce, atOnce);
      await Bun.sleep(2);
      atOnce -= 1;
      return new Response("x");
    });
    const backend = narrow(server.origin, 2);
    const held = [backend.acquire(), backend.acquire()];
    using proxy = startPatientProxy([backend]);
    const answers: Promise<Response>[] = [];
    for (let n = 0; n < 30; n += 1) {
      const body = JSON.stringify({ model: "m", n: String(n) });
      answers.push(fetch(`${proxy.origin}/v1/x`, { method: "POST", body }));
      await proxy.untilWaiting(n + 1);
    }
    for (const lease of held) lease?.end();
    for (const answer of answers) {
      const response = await within("an answer", answer);
      expect([response.status, await response.text()]).toEqual([200, "x"]);
    }
    expect(order).toEqual(Array.from({ length: 30 }, (_, n) => String(n)));
    expect(mostAtOnce).toBe(2);
    await until("no lease is left", () => backend.inFlight === 0);
  });

  test("get an error if there are too many", async () => {
    const backend = narrow("http://127.0.0.1:1");
    backend.acquire();
    using proxy = startPatientProxy([backend], { waitersMax: 2 });
    void chat(proxy.origin, "m").catch(() => undefined);
    void chat(proxy.origin, "m").catch(() => undefined);
    await proxy.untilWaiting(2);
    expect(await errorOf(chat(proxy.origin, "m"))).toStartWith("503 proxy_overloaded: ");
  });

  test("get an error at once when the proxy is being stopped", async () => {
    const backend = narrow("http://127.0.0.1:1");
    backend.acquire();
    using proxy = startPatientProxy([backend]);
    const answer = chat(proxy.origin, "m");
    await proxy.untilWaiting(1);
    proxy.room.close();
    expect(await errorOf(answer)).toMatch(
      /^503 backend_unavailable: .*the proxy is being stopped.* \(waited for 0\.\d s\)$/,
    );
    expect(await errorOf(chat(proxy.origin, "m"))).toStartWith("429 backend_saturated: ");
  });

  test("do not reach the server when their client leaves", async () => {
    using server = fakeBackend();
    const backend = narrow(server.origin);
    const held = backend.acquire();
    using proxy = startPatientProxy([backend]);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    await proxy.untilWaiting(1);
    client.end();
    client.reset();
    await proxy.untilWaiting(0);
    held?.end();
    expect((await within("an answer", chat(proxy.origin, "m"))).status).toBe(200);
    expect(server.received).toHaveLength(1);
  });
});

describe("A body of more than 1 MiB", () => {
  const BIG = `{"model":"m","prompt":"${"x".repeat(4 * 1024 * 1024)}"}`;

  test("is not read further while it waits, and then reaches the server whole", async () => {
    using server = fakeBackend(({ body }) =>
      Response.json(createHash("md5").update(body).digest("hex")),
    );
    using proxy = startPatientProxy([]);
    proxy.table.expect(OLD_RUN, EXPECTED);
    const answer = fetch(`${proxy.origin}/v1/x`, { method: "POST", body: BIG });
    await proxy.untilWaiting(1);
    proxy.table.admit(makeBackend({ origin: server.origin, run: OLD_RUN }));
    const response = await within("an answer", answer);
    expect(await response.json()).toBe(createHash("md5").update(BIG).digest("hex"));
  });

  test("is not sent when its client has left", async () => {
    using server = fakeBackend();
    using proxy = startPatientProxy([]);
    proxy.table.expect(OLD_RUN, EXPECTED);
    using client = await rawConnect(proxy.port);
    const head = `POST /v1/x HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 20000000\r\n\r\n`;
    client.send(`${head}${BIG}`);
    await proxy.untilWaiting(1);
    client.reset();
    const backend = makeBackend({ origin: server.origin, run: OLD_RUN });
    proxy.table.admit(backend);
    await proxy.untilWaiting(0);
    await until("no lease is left", () => backend.inFlight === 0);
    expect((await within("an answer", chat(proxy.origin, "m"))).status).toBe(200);
    expect(server.received).toHaveLength(1);
  });
});
