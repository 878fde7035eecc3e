import { describe, expect, test } from "bun:test";
import { rawConnect, rawExchange, rawServer } from "../support/client/raw-http.ts";
import { rawRequest, startProxy, startProxyTo } from "../support/proxy/in-process.ts";
import { plainStatus } from "../support/proxy/status-reply.ts";
import { makeBackend } from "../support/server/backends.ts";
import { fakeBackend } from "../support/server/scripted.ts";

const HEAD_END = "\r\n\r\n";

describe("createHandler() routes", () => {
  test("each request to the backend that serves its model", async () => {
    using a = fakeBackend(() => new Response("from a"));
    using b = fakeBackend(() => new Response("from b"));
    using proxy = startProxy({
      backends: [
        makeBackend({ origin: a.origin, models: [{ id: "a1" }, { id: "a2" }] }),
        makeBackend({ origin: b.origin, models: [{ id: "org/b" }] }),
      ],
    });
    const answers = ["a1", "org/b", "a2"].map(async (model) => {
      const body = JSON.stringify({ messages: [{ role: "user", content: model }], model });
      return await (await fetch(`${proxy.origin}/v1/x`, { method: "POST", body })).text();
    });
    expect(await Promise.all(answers)).toEqual(["from a", "from b", "from a"]);
  });

  test.each<[basePath: string, sent: string, received: string]>([
    ["/v1", "/v1/chat/completions", "/v1/chat/completions"],
    ["", "/v1/chat/completions", "/chat/completions"],
    ["/api/v3", "/v1/embeddings", "/api/v3/embeddings"],
    ["/v1", "/v1/", "/v1/"],
    ["/v1", "/v1/x?a=1&b=%20%2F&c", "/v1/x?a=1&b=%20%2F&c"],
    ["/v1", "/v1/x?", "/v1/x?"],
    ["/v1", "/v1/x?to=http://y/../z", "/v1/x?to=http://y/../z"],
    ["/v1", "/v1/files/a%2Fb%20c%25", "/v1/files/a%2Fb%20c%25"],
    ["/v1", "/v1/%E2%82%AC/~x'(y)", "/v1/%E2%82%AC/~x'(y)"],
    ["/v1", "/v1/double///slash//", "/v1/double///slash//"],
    ["/v1", "/v1/models", "/v1/models"],
    ["/v1", "/v1/x/v1/x", "/v1/x/v1/x"],
    ["/v1", "/embed?a=1", "/embed?a=1"],
    ["/api/v3", "/api/chat", "/api/chat"],
  ])("to base path %p: %p becomes %p", async (basePath, sent, received) => {
    using upstream = fakeBackend();
    using proxy = startProxy({ backends: [makeBackend({ origin: upstream.origin, basePath })] });
    using client = await rawConnect(proxy.port);
    client.send(rawRequest().replace("/v1/chat/completions", sent));
    await client.waitFor("answer");
    expect(upstream.received.map(({ target }) => target)).toEqual([received]);
  });

  test.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])("a %s unchanged", async (method) => {
    using upstream = fakeBackend();
    using proxy = startProxyTo(upstream.origin);
    const answer = await fetch(`${proxy.origin}/v1/x`, { method, body: '{"model":"m"}' });
    expect(await answer.text()).toBe("answer");
    expect(upstream.received.map((request) => request.method)).toEqual([method]);
  });

  test.each(["a b", "x/../y", "user:pass@host", "x#f", "a?b", ""])(
    "a request with the bad Host %p, which the backend does not see",
    async (host) => {
      using upstream = fakeBackend();
      using proxy = startProxyTo(upstream.origin);
      using client = await rawConnect(proxy.port);
      client.send(rawRequest().replace("proxy.test", host));
      await client.waitFor("answer");
      expect(client.received()).toStartWith("HTTP/1.1 200 OK\r\n");
      const [{ headers, target }] = upstream.received as [(typeof upstream.received)[0]];
      expect(target).toBe("/v1/chat/completions");
      expect(headers.get("host")).toBe(new URL(upstream.origin).host);
      expect(headers.has("x-forwarded-host")).toBe(false);
    },
  );

  test("to its backend, whatever authority the target names", async () => {
    using upstream = fakeBackend();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest().replace("/v1/", "http://127.0.0.1:1/v1/"));
    await client.waitFor("answer");
    expect(upstream.received[0]?.target).toBe("/v1/chat/completions");
  });
});

describe("createHandler() answers from memory", () => {
  const older = { id: "org/name", object: "model", max_model_len: 4096 };
  const slashes = { id: "a/b/c", owned_by: "vllm", permission: [{ id: "p" }] };
  const backends = () => [
    makeBackend({ models: [older] }),
    makeBackend({ models: [slashes, { id: "z" }] }),
  ];

  test("GET /v1/models: all models as the servers sent them, by id", async () => {
    using proxy = startProxy({ backends: backends() });
    const answer = await fetch(`${proxy.origin}/v1/models?limit=1`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ object: "list", data: [slashes, older, { id: "z" }] });
  });

  test("GET /v1/models: without the models of a draining backend", async () => {
    const [draining, active] = backends();
    using proxy = startProxy({ backends: [draining!, active!] });
    proxy.table.drain(draining!);
    const answer = await fetch(`${proxy.origin}/v1/models`);
    expect(await answer.json()).toEqual({ object: "list", data: [slashes, { id: "z" }] });
  });

  test.each<[path: string, model: unknown]>([
    ["/v1/models/z", { id: "z" }],
    ["/v1/models/a/b/c", slashes],
    ["/v1/models/a%2Fb%2fc", slashes],
    ["/v1/models/a%2Fb/c?x=/y", slashes],
    ["/v1/models/org/name", older],
  ])("GET %s: the model's object", async (path, model) => {
    using proxy = startProxy({ backends: backends() });
    const answer = await fetch(`${proxy.origin}${path}`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual(model);
  });

  test.each<[path: string, status: number]>([
    ["/v1/models", 200],
    ["/v1/models/", 200],
    ["/v1", 200],
    ["/v1/", 200],
    ["/v1/models/org%2Fname", 200],
    ["/v1/models/nobody", 404],
  ])("HEAD %s: like GET, without the body", async (path, status) => {
    using proxy = startProxy({ backends: backends() });
    const got = await fetch(`${proxy.origin}${path}`);
    const length = (await got.bytes()).length;
    const head = `HEAD ${path} HTTP/1.1\r\nHost: a\r\nConnection: close${HEAD_END}`;
    const answer = await rawExchange(proxy.port, head);
    expect(answer).toStartWith(`HTTP/1.1 ${status} `);
    expect(answer.toLowerCase()).toContain(`\r\ncontent-length: ${length}\r\n`);
    expect(answer).toEndWith(HEAD_END);
  });

  test.each<[isReady: boolean, path: string, status: number, text: string]>([
    [false, "/healthz", 200, "ok\n"],
    [true, "/healthz", 200, "ok\n"],
    [false, "/health", 200, "ok\n"],
    [false, "/readyz", 503, "starting\n"],
    [true, "/readyz", 200, "ready\n"],
    [true, "/readyz?verbose", 200, "ready\n"],
  ])("while ready is %p, GET %s: %d", async (isReady, path, status, text) => {
    using proxy = startProxy({ isReady: () => isReady });
    const answer = await fetch(`${proxy.origin}${path}`);
    expect([answer.status, await answer.text()]).toEqual([status, text]);
  });

  test("GET /status: the status, for every client; other methods are refused", async () => {
    using proxy = startProxy({ status: () => plainStatus({ version: "1.2.3" }) });
    const answer = await fetch(`${proxy.origin}/status`);
    expect([answer.status, await answer.json()]).toEqual([200, plainStatus({ version: "1.2.3" })]);
    expect((await fetch(`${proxy.origin}/status`, { method: "POST" })).status).toBe(404);
  });

  test.each(["X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1"])(
    "GET /v1/../status through a front proxy (%s): not the status",
    async (header) => {
      using proxy = startProxy({ status: () => plainStatus({ version: "1.2.3" }) });
      const request = `GET /v1/../status HTTP/1.1\r\nHost: a\r\n${header}\r\nConnection: close${HEAD_END}`;
      const answer = await rawExchange(proxy.port, request);
      expect(answer).toStartWith("HTTP/1.1 404 ");
      expect(answer).not.toContain("1.2.3");
    },
  );

  test("also a request with a bad Host", async () => {
    using proxy = startProxy({ backends: backends() });
    const request = `GET /v1/models/z HTTP/1.1\r\nHost: a b\r\nConnection: close${HEAD_END}`;
    expect(await rawExchange(proxy.port, request)).toEndWith(`${HEAD_END}{"id":"z"}`);
  });
});

test.each([[1], [2]])(
  "a request for a response is read whole before it is sent only if its model has replicas: %d server(s)",
  async (servers) => {
    using upstream = await rawServer();
    const isReplica = servers > 1;
    const backends = Array.from({ length: servers }, () =>
      makeBackend({ origin: upstream.origin, isReplica }),
    );
    using proxy = startProxy({ backends });
    using client = await rawConnect(proxy.port);
    const [begin, rest] = ['{"model":"m","input":"a', '"}'];
    client.send("POST /v1/responses HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(`${begin.length.toString(16)}\r\n${begin}\r\n`);
    if (isReplica) {
      await Bun.sleep(50); // proves that it waits: without replicas it takes 1 ms
      expect(upstream.connections).toHaveLength(0);
      client.send(`${rest.length}\r\n${rest}\r\n`);
    }
    await (await upstream.request()).waitFor(isReplica ? rest : begin);
  },
);
