import { describe, expect, test } from "bun:test";
import { rawConnect } from "../support/client/raw-http.ts";
import { type RunningProxy, rawRequest, startProxy } from "../support/proxy/in-process.ts";
import { makeBackend, models } from "../support/server/backends.ts";
import { type FakeBackend, fakeBackend } from "../support/server/scripted.ts";
import { until } from "../support/until.ts";

function answering(name: string): FakeBackend {
  return fakeBackend(() => new Response(name, { headers: { "x-served-by": name } }));
}

type Answer = {
  readonly status: number;
  readonly by: string | null;
  readonly code: string | undefined;
};

async function ask(proxy: RunningProxy, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`${proxy.origin}${path}`, init);
  const text = await response.text();
  const code = /"code":"(\w+)"/.exec(text)?.[1];
  return { status: response.status, by: response.headers.get("x-served-by"), code };
}

const AUDIO = { method: "POST", body: "RIFF", headers: { "content-type": "audio/wav" } };
const NOT_FOUND = { status: 404, by: null, code: "response_not_found" };
const UNAVAILABLE = { status: 503, by: null, code: "backend_unavailable" };
const REQUIRED = { status: 400, by: null, code: "model_required" };

describe("a request that names no model in its body", () => {
  test.each<[what: string, path: string, init: RequestInit]>([
    ["no body", "/v1/files", {}],
    ["a body of another kind", "/v1/audio", AUDIO],
    ["an adapter to load", "/v1/load_lora_adapter", { method: "POST", body: '{"lora_name":"a"}' }],
  ])(
    "with %s goes by the query, otherwise to the only backend, otherwise 400",
    async (_what, path, init) => {
      using one = answering("one");
      using two = answering("two");
      const first = makeBackend({ origin: one.origin, models: [{ id: "m1" }] });
      const second = makeBackend({ origin: two.origin, models: [{ id: "m2" }] });
      using proxy = startProxy({ backends: [first, second] });
      expect(await ask(proxy, path, init)).toEqual(REQUIRED);
      expect(await ask(proxy, `${path}?x=1&model=m1`, init)).toMatchObject({ by: "one" });
      expect(await ask(proxy, `${path}?model=m3`, init)).toMatchObject({ code: "model_not_found" });
      proxy.table.drain(first);
      expect(await ask(proxy, path, init)).toMatchObject({ status: 200, by: "two" });
      proxy.table.drain(second);
      expect(await ask(proxy, path, init)).toEqual(UNAVAILABLE);
      await until("all leases have ended", () => first.inFlight + second.inFlight === 0);
    },
  );

  test("goes to the newest server of the only model", async () => {
    using one = answering("one");
    using two = answering("two");
    const first = makeBackend({ origin: one.origin });
    const second = makeBackend({ origin: two.origin });
    using proxy = startProxy({ backends: [first, second] });
    expect(await ask(proxy, "/v1/x")).toMatchObject({ status: 200, by: "two" });
    expect(await ask(proxy, "/v1/files")).toEqual(REQUIRED); // either server may have made the files
    proxy.table.drain(second);
    expect(await ask(proxy, "/v1/x")).toMatchObject({ status: 200, by: "one" });
    expect(await ask(proxy, "/v1/files")).toMatchObject({ status: 200, by: "one" });
  });

  test("but has a JSON body goes by the query, otherwise 400, with any number of servers", async () => {
    using one = answering("one");
    using proxy = startProxy({ backends: [makeBackend({ origin: one.origin })] });
    const init = { method: "POST", body: '{"messages":[]}' };
    expect(await ask(proxy, "/v1/chat/completions", init)).toEqual(REQUIRED);
    expect(await ask(proxy, "/v1/chat/completions?model=m", init)).toMatchObject({ by: "one" });
  });

  test("but wrongly claims to be JSON or a form gets 400 invalid_json", async () => {
    using one = answering("one");
    using proxy = startProxy({ backends: [makeBackend({ origin: one.origin })] });
    for (const type of [
      "application/json",
      "application/x-www-form-urlencoded",
      "application/problem+json",
    ]) {
      const init = { method: "POST", body: "model=m", headers: { "content-type": type } };
      expect(await ask(proxy, "/v1/x", init)).toMatchObject({ status: 400, code: "invalid_json" });
    }
  });

  test("goes to the newest backend if it is OPTIONS, or gets 503 if there is none", async () => {
    using one = answering("one");
    using two = answering("two");
    const newest = makeBackend({ origin: two.origin, rank: 99_999_999 });
    using proxy = startProxy({ backends: [newest, makeBackend({ origin: one.origin, rank: 1 })] });
    expect(await ask(proxy, "/v1/chat/completions", { method: "OPTIONS" })).toMatchObject({
      by: "two",
    });
    using empty = startProxy();
    expect(await ask(empty, "/v1/models", { method: "OPTIONS" })).toEqual(UNAVAILABLE);
  });
});

describe("a request about a response", () => {
  test("goes to the backend that made the response, also after that was unhealthy, and gets 404 when it is gone", async () => {
    using one = fakeBackend(({ method }) =>
      method === "POST"
        ? Response.json({ id: "resp_1" })
        : new Response("one", { headers: { "x-served-by": "one" } }),
    );
    using two = answering("two");
    const init = { origin: one.origin, run: { id: "c1" }, models: [{ id: "m1" }] };
    const first = makeBackend(init);
    using proxy = startProxy({ backends: [makeBackend({ origin: two.origin }), first] });
    await ask(proxy, "/v1/responses", { method: "POST", body: '{"model":"m1","input":"x"}' });
    for (const method of ["GET", "DELETE"]) {
      expect(await ask(proxy, "/v1/responses/resp_1", { method })).toMatchObject({ by: "one" });
    }
    expect(await ask(proxy, "/v1/responses/resp_2")).toMatchObject(NOT_FOUND);
    proxy.table.drain(first);
    expect(await ask(proxy, "/v1/responses/resp_1")).toMatchObject({
      status: 503,
      code: "backend_draining",
    });
    const again = makeBackend({ ...init, rank: 9_999 });
    proxy.table.admit(again);
    expect(await ask(proxy, "/v1/responses/resp_1")).toMatchObject({ by: "one" });
    proxy.table.remove(first, "run-over");
    proxy.table.remove(again, "run-over");
    expect(await ask(proxy, "/v1/responses/resp_1")).toMatchObject(NOT_FOUND);
  });
});

describe("an unknown model", () => {
  test("makes the proxy ask the servers before the 404, which suggests similar names", async () => {
    using one = answering("one");
    const backend = makeBackend({ origin: one.origin, models: [{ id: "qwen3-8b" }] });
    let asked = 0;
    const refreshModels = async (): Promise<void> => {
      asked += 1;
      if (asked === 2)
        proxy.table.replaceModels(backend, models({ id: "qwen3-8b" }, { id: "lora" }));
    };
    using proxy = startProxy({ backends: [backend], refreshModels });
    const response = await fetch(`${proxy.origin}/v1/x`, {
      method: "POST",
      body: '{"model":"qwen3"}',
    });
    expect(response.status).toBe(404);
    expect(await response.text()).toContain('did you mean \\"qwen3-8b\\"?');
    expect(await ask(proxy, "/v1/x", { method: "POST", body: '{"model":"lora"}' })).toMatchObject({
      by: "one",
    });
    expect(await ask(proxy, "/v1/models/lora")).toMatchObject({ status: 200 });
    expect(asked).toBe(2);
  });

  test("waits at most 1 s for the servers", async () => {
    using proxy = startProxy({ refreshModels: () => new Promise(() => undefined) });
    const startMs = performance.now();
    expect(await ask(proxy, "/v1/models/x")).toMatchObject({ status: 404 });
    expect(performance.now() - startMs).toBeWithin(950, 2_500);
  });

  test("makes the proxy ask a server again after it loaded or unloaded an adapter", async () => {
    let status = 500;
    using one = fakeBackend(() => new Response("", { status }));
    const asked: string[] = [];
    using proxy = startProxy({
      backends: [makeBackend({ origin: one.origin, run: { id: "c1" } })],
      refreshModelsOf: async ({ id }) => void asked.push(id),
    });
    const load = { method: "POST", body: '{"lora_name":"a","lora_path":"/a"}' };
    await ask(proxy, "/v1/load_lora_adapter", load);
    expect(asked).toEqual([]);
    status = 200;
    await ask(proxy, "/v1/load_lora_adapter", load);
    await ask(proxy, "/v1/unload_lora_adapter", load);
    expect(asked).toEqual(["c1", "c1"]);
  });
});

test("a request without free file descriptors gets 503, and its connection is closed", async () => {
  using one = answering("one");
  using proxy = startProxy({
    backends: [makeBackend({ origin: one.origin })],
    hasRoom: () => false,
  });
  using client = await rawConnect(proxy.port);
  client.send(rawRequest());
  await client.waitForClose();
  expect(client.received()).toStartWith("HTTP/1.1 503 ");
  expect(client.received()).toContain('"code":"proxy_overloaded"');
  expect(one.received).toEqual([]);
});

describe("answers of the proxy itself", () => {
  test("may be read by a page in a browser; answers of a backend keep their own rules", async () => {
    using one = answering("one");
    using proxy = startProxy({ backends: [makeBackend({ origin: one.origin })] });
    const headers = { origin: "http://page.test" };
    const allowed = async (path: string, init: RequestInit = {}): Promise<string | null> =>
      (await fetch(`${proxy.origin}${path}`, { headers, ...init })).headers.get(
        "access-control-allow-origin",
      );
    expect(await allowed("/v1/models")).toBe("*");
    expect(await allowed("/v1/models/x")).toBe("*");
    expect(await allowed("/v1/x", { method: "POST", body: "{}" })).toBe("*");
    expect(await allowed("/v1/x", { method: "POST", body: '{"model":"m"}' })).toBeNull();
    expect(await allowed("/v1/models", { headers: {} })).toBeNull();
  });
});
