/** Requests that no server has answered, in a proxy where requests may wait. */
import { expect, test } from "bun:test";
import { KeptBytes } from "../../src/proxy/body/kept-bytes.ts";
import { PATIENCE } from "../../src/proxy/upstream-abort.ts";
import { Load } from "../../src/routing/load.ts";
import { freePort, rawServer } from "../support/client/raw-http.ts";
import { chat } from "../support/client/requests.ts";
import { startProxy } from "../support/proxy/in-process.ts";
import { startPatientProxy } from "../support/proxy/waiting.ts";
import { makeBackend } from "../support/server/backends.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until, within } from "../support/until.ts";

const isReplica = true;

test("a request with an answer of a replica does not wait, even if no other replica is reachable", async () => {
  using busy = fakeBackend(() => new Response("says 503", { status: 503 }));
  const nobody = `http://127.0.0.1:${await freePort()}`;
  const backends = [busy.origin, nobody].map((origin) => makeBackend({ origin, isReplica }));
  using proxy = startPatientProxy(backends);
  for (let n = 0; n < 2; n += 1) {
    const response = await within("an answer", chat(proxy.origin, "m"));
    expect([response.status, await response.text()]).toEqual([503, "says 503"]);
  }
  expect(proxy.log.lines.map(({ message }) => message)).not.toContain("requests waiting");
});

test("a request whose replica dies waits for the others if they are full", async () => {
  using first = await rawServer();
  using other = fakeBackend();
  const load = new Load(1);
  const full = makeBackend({ origin: other.origin, isReplica, load });
  const held = full.acquire();
  using proxy = startPatientProxy([makeBackend({ origin: first.origin, isReplica }), full]);
  const answer = chat(proxy.origin, "m");
  (await first.request()).reset();
  await proxy.untilWaiting(1);
  held?.end();
  expect((await within("an answer", answer)).status).toBe(200);
  expect(other.received).toHaveLength(1);
});

test("a 502 waits only once for the end of its server's run", async () => {
  using server = await rawServer();
  const patience = { ...PATIENCE, runEndMs: 1_500 };
  using proxy = startPatientProxy([makeBackend({ origin: server.origin })], { patience });
  const answer = within("an answer", chat(proxy.origin, "m"), 2_500);
  (await server.request()).reset();
  expect((await answer).status).toBe(502);
});

test("the kept bytes of a body are released while its 502 waits for the reason", async () => {
  using server = await rawServer();
  const kept = new KeptBytes(1024 * 1024);
  const patience = { ...PATIENCE, runEndMs: 10_000 };
  const backend = makeBackend({ origin: server.origin });
  using proxy = startProxy({ backends: [backend], kept, patience });
  const answer = chat(proxy.origin, "m");
  const upstream = await server.request();
  expect(kept.total).toBeGreaterThan(0);
  upstream.reset();
  await until("nothing is kept", () => kept.total === 0);
  backend.ending.ended({ kind: "exited", brief: "exited", reason: "exited" });
  expect((await within("an answer", answer)).status).toBe(502);
});
