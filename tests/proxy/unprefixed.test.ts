/** Inference paths of servers outside `/v1`: the proxy passes only these on. */
import { describe, expect, test } from "bun:test";
import { UNPREFIXED_PATHS } from "../../src/ground/paths.ts";
import { rawConnect } from "../support/client/raw-http.ts";
import { type RunningProxy, startProxy } from "../support/proxy/in-process.ts";
import { makeBackend } from "../support/server/backends.ts";
import { type FakeBackend, fakeBackend } from "../support/server/scripted.ts";

const PATHS = [
  ...["/rerank", "/v2/rerank", "/score", "/classify", "/pooling", "/embed", "/embed_sparse"],
  ...["/predict", "/tokenize", "/detokenize", "/infill", "/api/chat", "/api/generate"],
  "/api/embed",
];

/** A proxy with two servers: one serves `m` and has its own base path, the other one serves `other`. */
function start(server: FakeBackend): RunningProxy {
  return startProxy({
    backends: [
      makeBackend({ origin: server.origin, basePath: "/engine/v3" }),
      makeBackend({ models: [{ id: "other" }] }),
    ],
  });
}

async function answer(proxy: RunningProxy, path: string, init: RequestInit): Promise<string> {
  const response = await fetch(`${proxy.origin}${path}`, init);
  const text = await response.text();
  return `${response.status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? text}`;
}

const post = (body: string | FormData | undefined, headers: Record<string, string> = {}) => ({
  method: "POST",
  headers,
  ...(body !== undefined && { body }),
});

function form(): FormData {
  const made = new FormData();
  made.set("model", "m");
  return made;
}

test("the list of paths is the required one", () => {
  expect([...UNPREFIXED_PATHS].toSorted()).toEqual(PATHS.toSorted());
});

describe.each(PATHS)("POST %s", (path) => {
  test("goes unchanged to the server of its model, without that server's base path", async () => {
    using server = fakeBackend();
    using proxy = start(server);
    const body = '{ "texts":["a"],"model":"m" }';
    expect(await answer(proxy, `${path}?x=%20/`, post(body))).toBe("200 answer");
    const [received] = server.received;
    expect([received?.method, received?.target]).toEqual(["POST", `${path}?x=%20/`]);
    expect(Buffer.from(received?.body ?? []).toString()).toBe(body);
  });

  test("without a model gets 400, even if there is only one server", async () => {
    using server = fakeBackend();
    using proxy = startProxy({ backends: [makeBackend({ origin: server.origin })] });
    const required = "400 model_required";
    expect(await answer(proxy, path, post(undefined))).toBe(required);
    expect(await answer(proxy, path, post('{"inputs":"x"}'))).toBe(required);
    expect(await answer(proxy, path, post('{"model":7}'))).toBe(required);
    expect(await answer(proxy, path, post("x", { "content-type": "text/plain" }))).toBe(required);
    expect(await answer(proxy, `${path}?model=`, post("{}"))).toBe(required);
    expect(server.received).toEqual([]);
  });

  test("works only for POST, and not with a slash at its end", async () => {
    using server = fakeBackend();
    using proxy = start(server);
    for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      const response = await fetch(`${proxy.origin}${path}?model=m`, { method });
      expect(response.status).toBe(404);
      if (method !== "HEAD") expect(await response.text()).toContain(`${path} accepts only POST`);
    }
    expect(await answer(proxy, `${path}/`, post('{"model":"m"}'))).toBe("404 not_found");
    expect(await answer(proxy, `${path}/x`, post('{"model":"m"}'))).toBe("404 not_found");
    expect(server.received).toEqual([]);
  });
});

describe("outside /v1", () => {
  test.each<[what: string, path: string, init: RequestInit, says: string]>([
    ["JSON without a model, and a model in the query", "/embed?model=m", post("{}"), "200 answer"],
    ["no body, with a model in the query", "/embed?model=m", post(undefined), "200 answer"],
    ["a form", "/rerank", post(form()), "200 answer"],
    ["an unknown model", "/embed", post('{"model":"x"}'), "404 model_not_found"],
    ["an unknown model in the query", "/embed?model=x", post("{}"), "404 model_not_found"],
    ["a broken body", "/embed?model=m", post('{"model":"m'), "400 invalid_json"],
    [
      "an encoded body",
      "/embed",
      post('{"model":"m"}', { "content-encoding": "gzip" }),
      "415 unsupported_encoding",
    ],
  ])("%s: like below /v1", async (_what, path, init, says) => {
    using server = fakeBackend();
    using proxy = start(server);
    expect(await answer(proxy, path, init)).toBe(says);
  });

  test("a model that is unknown while the proxy starts, or that drains: 503", async () => {
    const draining = makeBackend();
    using proxy = startProxy({ backends: [draining], isReady: () => false });
    proxy.table.drain(draining);
    expect(await answer(proxy, "/embed", post('{"model":"x"}'))).toBe("503 starting");
    expect(await answer(proxy, "/embed", post('{"model":"m"}'))).toBe("503 backend_draining");
  });

  test("a request whose connection was refused goes to another server of its model, on the same path", async () => {
    using server = fakeBackend();
    using proxy = startProxy({
      backends: [
        makeBackend({ origin: server.origin, basePath: "/a", rank: 1 }),
        makeBackend({ origin: "http://127.0.0.1:9", basePath: "/b", rank: 2_000_000 }),
      ],
    });
    expect(await answer(proxy, "/api/chat", post('{"model":"m"}'))).toBe("200 answer");
    expect(server.received.map(({ target }) => target)).toEqual(["/api/chat"]);
  });

  test.each([
    ...["/api/delete", "/api/pull", "/api/tags", "/api/embeddings", "/api/show", "/v2/models"],
    ...["/v1/../api/delete", "/api/chat/../delete", "/api/chat/%2e%2e/delete", "/api\\pull"],
    ...["/api/%67enerate", "/api/chat%2f..%2fdelete", "/api/chat%2F..%2Fdelete", "/api%2fchat"],
    ...["/api/chat%00", "/api/chat;x=1", "/api/chat;/../delete", "/API/CHAT", "/%65mbed"],
    ...["/api//chat", "//api/chat", "//embed", "/./embed/.", "/embed%20", "/embed%3fx", "/rerank."],
    ...["/v2/rerank/../pull", "/v2//rerank", "/embed_all", "/v1/embed/../../api/pull", "/", "/v1"],
    ...["/api/chat%252f..%252fdelete", "/x/..;/api/delete", "/sleep", "/load_lora_adapter"],
  ])("POST %s passes nothing on", async (target) => {
    using server = fakeBackend();
    using proxy = startProxy({ backends: [makeBackend({ origin: server.origin })] });
    using client = await rawConnect(proxy.port);
    const body = '{"model":"m"}';
    client.send(
      `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await client.waitFor("}}");
    expect(client.received()).toMatch(
      /^HTTP\/1\.1 (?:404 .*"code":"not_found"|400 .*"code":"invalid_path")/s,
    );
    expect(server.received).toEqual([]);
  });
});
