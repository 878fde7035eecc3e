/** Requests that belong to one replica while it is out or full, and requests that name no model. */
import { describe, expect, test } from "bun:test";
import { Load } from "../../src/routing/load.ts";
import {
  NO_REPORT,
  NO_TELEMETRY,
  type RequestReport,
  type Telemetry,
} from "../../src/telemetry/telemetry.ts";
import { freePort, rawConnect, rawServer } from "../support/client/raw-http.ts";
import { chat, post } from "../support/client/requests.ts";
import { rawRequest, startProxy } from "../support/proxy/in-process.ts";
import { counts, expectNothingLeft, startReplicas } from "../support/proxy/replicas.ts";
import { makeBackend } from "../support/server/backends.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until, within } from "../support/until.ts";

function telemetryOf(report: RequestReport): Telemetry {
  return { ...NO_TELEMETRY, request: () => report };
}

async function codeOf(response: Promise<Response>): Promise<string> {
  const { status } = await response;
  if (status < 400) return String(status);
  const body = (await (await response).json()) as { readonly error: { readonly code: string } };
  return `${status} ${body.error.code}`;
}

/** A server that makes the response `resp_1`. */
function maker(): ReturnType<typeof fakeBackend> {
  return fakeBackend(() => Response.json({ id: "resp_1", object: "response" }));
}

describe("a response of a replica that is out", () => {
  test("is not requested from the only other one", async () => {
    using newest = maker();
    using older = fakeBackend();
    using proxy = startReplicas([newest.origin, older.origin]);
    expect((await post(proxy.origin, "/v1/responses", { model: "m", input: "a" })).status).toBe(
      200,
    );
    const [backend] = proxy.backends;
    proxy.table.drain(backend!);
    proxy.table.expect(backend!.run, { models: backend!.models, trouble: "unhealthy" });
    const next = { model: "m", input: "b", previous_response_id: "resp_1" };
    expect(await codeOf(post(proxy.origin, "/v1/responses", next))).toBe("503 backend_draining");
    proxy.table.remove(backend!, "run-over"); // gone: now the other one may answer itself
    expect(await codeOf(post(proxy.origin, "/v1/responses", next))).toBe("200");
    expect(counts(newest, older)).toEqual([1, 1]);
  });

  test("is requested from its maker, wherever the id is and however idle the others are", async () => {
    using newest = maker();
    using older = fakeBackend();
    using proxy = startReplicas([newest.origin, older.origin]);
    await post(proxy.origin, "/v1/responses", { model: "m", input: "a" });
    for (let n = 0; n < 4; n += 1) {
      const next = { input: "x".repeat(9_000), model: "m", previous_response_id: "resp_1" };
      await post(proxy.origin, "/v1/responses", next);
    }
    expect(counts(newest, older)).toEqual([5, 0]);
  });
});

test("requests for files wait while the newest replica is unhealthy, but not while it stops", async () => {
  using newest = fakeBackend();
  using older = fakeBackend();
  using proxy = startReplicas([newest.origin, older.origin]);
  const [backend] = proxy.backends;
  proxy.table.drain(backend!);
  for (const path of ["/v1/files/f", "/v1/files/f?model=m"]) {
    proxy.table.expect(backend!.run, { models: backend!.models, trouble: "unhealthy" });
    expect(await codeOf(fetch(`${proxy.origin}${path}`))).toBe("503 backend_draining");
    proxy.table.expect(backend!.run, { models: backend!.models, trouble: "stopping" });
    expect(await codeOf(fetch(`${proxy.origin}${path}`))).toBe("200");
  }
  expect(counts(newest, older)).toEqual([0, 2]);
});

test("a request without a model goes to another replica like any other", async () => {
  using busy = fakeBackend(() => new Response("busy", { status: 503 }));
  using other = fakeBackend();
  const nobody = `http://127.0.0.1:${await freePort()}`;
  using proxy = startReplicas([nobody, busy.origin, other.origin]);
  expect(await codeOf(fetch(`${proxy.origin}/v1/anything`))).toBe("200");
  expect(counts(busy, other)).toEqual([1, 1]);
});

test("servers that die while they decline count as deaths: no third one gets the request", async () => {
  const servers = await Promise.all([1, 2, 3].map(() => rawServer()));
  using proxy = startReplicas(servers.map(({ origin }) => origin));
  const response = chat(proxy.origin, "m");
  for (const server of servers.slice(0, 2)) {
    const request = await server.request();
    request.send("HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nbu");
    request.end();
  }
  expect(await codeOf(within("an answer", response))).toBe("502 backend_unreachable");
  expect(servers[2]!.connections.length).toBe(0);
  await expectNothingLeft(proxy);
  for (const server of servers) server[Symbol.dispose]();
});

test("a request gets 429, and no older server, if its only slot is taken before the retry", async () => {
  using server = await rawServer();
  using older = fakeBackend();
  const newest = makeBackend({ origin: server.origin, rank: 1e9, load: new Load(1) });
  // Takes the slot as soon as the first try has freed it.
  const report: RequestReport = {
    ...NO_REPORT,
    call: (backend) => ({ ...NO_REPORT.call(backend), failed: () => void newest.acquire() }),
  };
  using proxy = startProxy({
    backends: [makeBackend({ origin: older.origin }), newest],
    telemetry: telemetryOf(report),
  });
  const first = chat(proxy.origin, "m");
  const connection = await server.request();
  connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  expect(await codeOf(within("an answer", first))).toBe("200");
  using client = await rawConnect(proxy.port);
  client.send(rawRequest('{"model":"m","n":2}'));
  await connection.waitFor('"n":2');
  connection.reset();
  await client.waitFor("}}");
  expect(client.received()).toContain('"code":"backend_saturated"');
  expect(counts(older)).toEqual([0]);
});

describe("the refusal of the last possible replica", () => {
  test("reaches the client without a Content-Type if it has none", async () => {
    using busy = await rawServer();
    using proxy = startReplicas([busy.origin, `http://127.0.0.1:${await freePort()}`]);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    const request = await busy.request();
    request.send("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
    await client.waitFor("busy");
    expect(client.received().toLowerCase()).not.toContain("content-type");
  });

  test("does not count as an answer if the client has left", async () => {
    using busy = fakeBackend(() => new Response("busy", { status: 503 }));
    using silent = await rawServer();
    const answered: number[] = [];
    const report: RequestReport = {
      ...NO_REPORT,
      answered: (status) => void answered.push(status),
    };
    using proxy = startReplicas([busy.origin, silent.origin], {
      telemetry: telemetryOf(report),
    });
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    await silent.request();
    client.reset();
    await expectNothingLeft(proxy);
    await until("the request has ended", () => answered.length > 0);
    expect(answered).toEqual([499]);
  });

  test("cools the server until the date in Retry-After, and no longer", async () => {
    const inMs = 3_000;
    using busy = fakeBackend(
      () =>
        new Response("busy", {
          status: 503,
          headers: { "retry-after": new Date(Date.now() + inMs).toUTCString() },
        }),
    );
    using other = fakeBackend();
    using proxy = startReplicas([busy.origin, other.origin]);
    expect(await codeOf(chat(proxy.origin, "m"))).toBe("200");
    const { load } = proxy.backends[0]!;
    expect(load.isCooling(performance.now() + 1_500)).toBe(true);
    expect(load.isCooling(performance.now() + inMs)).toBe(false);
  });
});

test("a request for a response is not sent twice if it was not read whole, because its model was not shared then", async () => {
  using dying = await rawServer();
  using other = fakeBackend();
  const named: string[] = [];
  const report: RequestReport = { ...NO_REPORT, named: (model) => void named.push(model) };
  using proxy = startReplicas([dying.origin], {
    telemetry: telemetryOf(report),
  });
  using client = await rawConnect(proxy.port);
  const body = '{"model":"m","background":true}';
  const head = `POST /v1/responses HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`;
  client.send(`${head}${body.slice(0, -5)}`);
  await until("its model is found", () => named.length > 0);
  proxy.table.admit(makeBackend({ origin: other.origin, rank: -9, isReplica: true }));
  client.send(body.slice(-5));
  (await dying.request()).reset();
  await client.waitFor("}}");
  expect(client.received()).toContain('"code":"backend_unreachable"');
  expect(counts(other)).toEqual([0]);
});

test("a run that drains and returns while it has a request does not get it again", async () => {
  using first = await rawServer();
  using second = await rawServer();
  using proxy = startReplicas([first.origin, second.origin]);
  const response = chat(proxy.origin, "m");
  for (const [index, server] of [first, second].entries()) {
    const request = await server.request();
    const backend = proxy.backends[index]!;
    proxy.table.drain(backend);
    const { origin, name, run, load } = backend;
    proxy.table.admit(makeBackend({ origin, name, run, load, isReplica: true }));
    request.send("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
  }
  expect(await (await within("an answer", response)).text()).toBe("busy");
  expect([first.connections.length, second.connections.length]).toEqual([1, 1]);
});

test("a request that fetch would resend by itself gets a new connection", async () => {
  using dying = await rawServer();
  using other = fakeBackend();
  using proxy = startReplicas([dying.origin, other.origin]);
  const [backend] = proxy.backends;
  const first = chat(proxy.origin, "m");
  const used = await dying.request();
  used.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  expect(await codeOf(within("an answer", first))).toBe("200");
  proxy.backends[1]!.load.cool(performance.now() + 60_000); // the next one goes to the same server
  const second = fetch(`${proxy.origin}/v1/x?model=m`, { method: "DELETE" });
  const request = await dying.request(1);
  dying.stopListening();
  request.reset();
  expect(await codeOf(within("an answer", second))).toBe("502 backend_unreachable");
  expect([dying.connections.length, ...counts(other)]).toEqual([2, 0]);
  expect(backend!.load.inFlight).toBe(0);
});

test("a request to load an adapter waits for the newest replica, with or without a model", async () => {
  using newest = fakeBackend();
  using older = fakeBackend();
  using proxy = startReplicas([newest.origin, older.origin]);
  const [backend] = proxy.backends;
  proxy.table.drain(backend!);
  proxy.table.expect(backend!.run, { models: backend!.models, trouble: "unhealthy" });
  for (const fields of [{ lora_name: "z" }, { lora_name: "z", model: "m" }]) {
    const answer = post(proxy.origin, "/v1/load_lora_adapter", fields);
    expect(await codeOf(answer)).toBe("503 backend_draining");
  }
  expect(counts(newest, older)).toEqual([0, 0]);
});
