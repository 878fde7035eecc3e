/** Requests that name their model in the query or by an earlier response, and requests without a body. */
import { describe, expect, test } from "bun:test";
import { KeptBytes } from "../../src/proxy/body/kept-bytes.ts";
import { rawExchange } from "../support/client/raw-http.ts";
import type { RunningProxy } from "../support/proxy/in-process.ts";
import { ask, form, json, proxyTo } from "../support/proxy/numbered.ts";
import { makeBackend } from "../support/server/backends.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;

/** A form of 3 MiB without a field `model`. */
const UPLOAD = form({ purpose: "batch", file: "x".repeat(3 * MIB) });

describe("?model= in the query", () => {
  test.each<[what: string, init: RequestInit]>([
    ["JSON without a model", json('{"query":"q","texts":["a"]}')],
    ["JSON with a null model", json('{"model":null,"texts":[]}')],
    ["JSON with an empty model", json('{"texts":[],"model":""}')],
    ["3 MiB of JSON", json(`{"texts":["${"x".repeat(3 * MIB)}"]}`)],
    ["a form without the field", form({ file: "RIFF" })],
    ["a large form without the field", UPLOAD],
    ["a body of another kind", { ...json("RIFF"), headers: { "content-type": "audio/wav" } }],
    ["no body", { method: "POST" }],
    ["a PUT", json("{}", "PUT")],
    ["a PATCH", json("{}", "PATCH")],
    ["a DELETE", { method: "DELETE" }],
    ["a DELETE with a body", json("{}", "DELETE")],
    ["a GET", {}],
  ])("routes %s", async (_what, init) => {
    using proxy = proxyTo(2);
    expect(await ask(proxy, "/rerank?x=1&model=m1", init)).toBe("1");
    expect(await ask(proxy, "/rerank?model=m2", init)).toBe("2");
    expect(await ask(proxy, "/rerank?model=m3", init)).toStartWith("404 model_not_found");
    const [received] = proxy.servers[0]!.received;
    expect(received!.target).toBe("/v1/rerank?x=1&model=m1");
    if (typeof init.body === "string") {
      expect(Buffer.from(received!.body).equals(Buffer.from(init.body))).toBe(true);
    }
  });

  test("is ignored if the body names a model or is not valid", async () => {
    using proxy = proxyTo(2);
    expect(await ask(proxy, "/x?model=m1", json('{"model":"m2"}'))).toBe("2");
    expect(await ask(proxy, "/x?model=m1", form({ model: "m2" }))).toBe("2");
    expect(await ask(proxy, "/x?model=m1", json('{"a":1'))).toStartWith("400 invalid_json");
    expect(await ask(proxy, "/x?model=m1", json('{"model":7}'))).toStartWith("400 model_required");
  });

  test("routes a body that does not name its model early, and all of it arrives", async () => {
    const kept = new KeptBytes(MIB);
    using proxy = proxyTo(2, { kept });
    const upload = json(`{"texts":["${"x".repeat(3 * MIB)}"]}`);
    expect(await ask(proxy, "/rerank", upload)).toMatch(/^413 .*\?model=/);
    expect(await ask(proxy, "/rerank?model=m1", upload)).toBe("1");
    expect(proxy.servers[0]!.received[0]!.body.length).toBe((upload.body as string).length);
    await until("nothing is kept", () => kept.total === 0);
  });
});

describe("a request without a body and without ?model=", () => {
  const EMPTY = {
    "Content-Length of 0": "Content-Length: 0\r\n\r\n",
    "no length": "\r\n",
    "an empty chunked body": "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  };

  async function send(proxy: RunningProxy, start: string, rest: string): Promise<string> {
    const head = `${start} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n`;
    const answer = await rawExchange(proxy.port, `${head}${rest}`);
    return /"code":"(\w+)"/.exec(answer)?.[1] ?? /x-served-by: (\w+)/i.exec(answer)?.[1] ?? answer;
  }

  test.each(Object.entries(EMPTY))(
    "(%s) gets 400 on a path that needs a body",
    async (_what, rest) => {
      using proxy = proxyTo(1);
      for (const method of ["POST", "PUT", "PATCH"]) {
        expect(await send(proxy, `${method} /v1/audio/speech`, rest)).toBe("model_required");
        expect(await send(proxy, `${method} /v1/audio/speech?model=m1`, rest)).toBe("1");
      }
      for (const method of ["GET", "DELETE"]) {
        expect(await send(proxy, `${method} /v1/audio/speech`, rest)).toBe("1");
      }
    },
  );

  test.each([
    "/v1/responses/resp_x/cancel",
    "/v1/batches/b/cancel",
    "/v1/vector_stores/v/file_batches/f/cancel",
    "/v1/fine_tuning/jobs/j/cancel",
    "/v1/conversations",
  ])("goes to the only server on a path that needs no body: POST %s", async (path) => {
    using proxy = proxyTo(1);
    for (const rest of Object.values(EMPTY))
      expect(await send(proxy, `POST ${path}`, rest)).toBe("1");
  });

  test.each(["GET", "DELETE"])("gets advice to use ?model=, not JSON, for a %s", async (method) => {
    using proxy = proxyTo(2);
    const answer = await ask(proxy, "/x", { method });
    expect(answer).toMatch(/^400 model_required: .*\?model=/);
    expect(answer).not.toContain("JSON");
  });
});

describe("an object that only one server has", () => {
  test.each<[what: string, path: string, init: RequestInit]>([
    ["a file", "/files", UPLOAD],
    ["a list of files", "/files", {}],
    ["a file to delete", "/files/f", { method: "DELETE" }],
    ["a batch", "/batches", json('{"input_file_id":"f"}')],
    ["a conversation", "/conversations", json("{}")],
    ["a search", "/vector_stores/v/search", json('{"query":"q"}')],
    ["a change", "/vector_stores/v", json('{"name":"n"}')],
    ["a batch to cancel", "/batches/b/cancel", { method: "POST" }],
  ])(
    "goes to the only server, otherwise by ?model=, otherwise 400: %s",
    async (_what, path, init) => {
      using proxy = proxyTo(2);
      expect(await ask(proxy, `${path}?model=m1`, init)).toBe("1");
      const answer = await ask(proxy, path, init);
      expect(answer).toMatch(/^400 model_required: .*\?model=/);
      using alone = proxyTo(1);
      expect(await ask(alone, path, init)).toBe("1");
    },
  );

  test("goes by the model in a body", async () => {
    using proxy = proxyTo(2);
    expect(await ask(proxy, "/batches?model=m1", json('{"model":"m2"}'))).toBe("2");
  });

  test("does not go by the field of a form", async () => {
    using proxy = proxyTo(2);
    const upload = form({ file: "x", model: "m2" });
    expect(await ask(proxy, "/files", upload)).toMatch(/^400 model_required: .*\?model=/);
  });

  test.each([
    [1, "/files"],
    [2, "/files?model=m1"],
  ])(
    "does not make the proxy keep and search a form, with %d servers at %s",
    async (count, path) => {
      const kept = new KeptBytes(1_000);
      using proxy = proxyTo(count, { kept });
      expect(await ask(proxy, path, UPLOAD)).toBe("1");
      const received = Buffer.from(proxy.servers[0]!.received[0]!.body);
      expect(received.length).toBeGreaterThan(3 * MIB);
      expect(received.includes('name="purpose"')).toBe(true);
      await until("nothing is kept", () => kept.total === 0);
    },
  );
});

test("a form that does not name its model early gets advice to use ?model=", async () => {
  using proxy = proxyTo(2, { kept: new KeptBytes(MIB) });
  const told = await ask(proxy, "/audio/transcriptions", UPLOAD);
  expect(told).toMatch(/^413 model_search_limit: .*\?model=/);
});

describe("a request that continues a response", () => {
  const goesOn = (id: string): RequestInit => json(`{"input":"x","previous_response_id":"${id}"}`);

  test("goes to the server that made the response, if it names no model", async () => {
    using proxy = proxyTo(2);
    expect(await ask(proxy, "/responses", json('{"model":"m1"}'))).toBe("1");
    expect(await ask(proxy, "/responses", goesOn("resp_1"))).toBe("1");
    expect(await ask(proxy, "/responses/input_tokens", goesOn("resp_1"))).toBe("1");
    expect(await ask(proxy, "/responses?model=m2", goesOn("resp_1"))).toBe("2");
    const named = json('{"previous_response_id":"resp_1","model":"m2"}');
    expect(await ask(proxy, "/responses", named)).toBe("2");
  });

  test("gets 503 while that server drains, and 404 when it is gone", async () => {
    using proxy = proxyTo(1);
    const backend = makeBackend({ origin: proxy.servers[0]!.origin, models: [{ id: "m9" }] });
    proxy.table.admit(backend);
    await ask(proxy, "/responses", json('{"model":"m9"}'));
    proxy.table.drain(backend);
    expect(await ask(proxy, "/responses", goesOn("resp_1"))).toStartWith("503 backend_draining");
    proxy.table.remove(backend, "run-over");
    expect(await ask(proxy, "/responses", goesOn("resp_1"))).toStartWith("404 response_not_found");
  });

  test("from an unknown server goes to the only server, otherwise 404", async () => {
    using proxy = proxyTo(2);
    expect(await ask(proxy, "/responses", goesOn("resp_x"))).toMatch(
      /^404 response_not_found: .*"resp_x".*\?model=/,
    );
    using alone = proxyTo(1);
    expect(await ask(alone, "/responses", goesOn("resp_x"))).toBe("1");
  });
});

test.each([
  ["GET", ""],
  ["DELETE", ""],
  ["POST", "/cancel"],
])(
  "%s of a response from an unknown server goes to the only server, otherwise 404",
  async (method, action) => {
    using proxy = proxyTo(2);
    const path = `/responses/resp_x${action}`;
    const answer = await ask(proxy, path, { method });
    expect(answer).toMatch(/^404 response_not_found: .*"resp_x".*\?model=/);
    expect(await ask(proxy, `${path}?model=m1`, { method })).toBe("1");
    using alone = proxyTo(1);
    expect(await ask(alone, path, { method })).toBe("1");
  },
);
