import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { refuse } from "../../../src/proxy/own/errors.ts";
import {
  type Models,
  modelIdOf,
  modelResponse,
  modelsResponse,
  noBackend,
} from "../../../src/proxy/own/models-list.ts";
import type { Trouble } from "../../../src/routing/routes.ts";
import { RoutingTable } from "../../../src/routing/table.ts";
import { residentWithoutGarbage } from "../../support/process/own-memory.ts";
import { makeBackend, models as modelsOf } from "../../support/server/backends.ts";
import { until } from "../../support/until.ts";

type ErrorBody = { readonly error: { readonly code: string; readonly message: string } };

type Entry = { readonly id: string; readonly [field: string]: unknown };

const REQUEST = new Request("http://proxy.test/v1/models");
const TARGET = { path: "/v1/models", query: "" };

/** A table in which the model is in the state `kind`. */
function modelsWith(
  kind: "live" | "draining" | "unknown",
  ready: boolean,
  model: Entry,
): Models & { readonly table: RoutingTable } {
  const table = new RoutingTable();
  const backend = makeBackend({ models: [model] });
  if (kind !== "unknown") table.admit(backend);
  if (kind === "draining") table.drain(backend);
  return { table, routes: table, isReady: () => ready };
}

/** The answer about one model. */
function responseOf(id: string, models: Models): Response {
  return modelResponse(REQUEST, id, models.routes.find(id), models);
}

/** The error for a model that no backend takes requests for. */
function refusalOf(id: string, models: Models): Response {
  const route = models.routes.route(id);
  if (route.kind === "routed" || route.kind === "saturated")
    throw new Error(`model ${id} is routed`);
  return refuse(noBackend(id, route, models));
}

describe("modelsResponse()", () => {
  test("lists the objects in the given order, with every field", async () => {
    const models = [
      { id: "b", object: "model", max_model_len: 4096, permission: [{ id: "p" }] },
      { id: "a", meta: null },
    ];
    const response = modelsResponse(REQUEST, TARGET, modelsOf(...models));
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toStartWith("application/json");
    expect(await response.json()).toEqual({ object: "list", data: models });
  });

  test("is an empty list when there is no model", async () => {
    expect(await modelsResponse(REQUEST, TARGET, []).json()).toEqual({ object: "list", data: [] });
  });
});

describe("modelsResponse() with a long list", () => {
  /** 2,000 models, 16 MiB. */
  const LONG = modelsOf(
    ...Array.from({ length: 2_000 }, (_, n) => ({ id: `m${n}`, about: "ü".repeat(4_300) })),
  );

  function serve(): Bun.Server<undefined> {
    return Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => modelsResponse(request, TARGET_1000, LONG),
    });
  }
  const TARGET_1000 = { path: "/v1/models", query: "limit=1000" };

  test.each([[{}], [{ "anthropic-version": "2023-06-01" }]])(
    "takes almost no memory for each of 100 clients that do not read, headers %o",
    async (headers) => {
      await using server = serve();
      await (await fetch(server.url, { headers })).bytes();
      const before = residentWithoutGarbage();
      const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      const sockets = Array.from({ length: 100 }, () => {
        const socket = connect(server.port ?? 0, "127.0.0.1").pause();
        socket.write(`GET / HTTP/1.1\r\nhost: proxy.test\r\n${head.join("")}\r\n`);
        return socket;
      });
      await until("all are being answered", () => server.pendingRequests === 100);
      const whole = await (await fetch(server.url, { headers })).text(); // by now the server has answered all sockets
      expect((JSON.parse(whole) as { data: unknown[] }).data.length).toBeGreaterThanOrEqual(1_000);
      expect((residentWithoutGarbage() - before) / 2 ** 20).toBeLessThan(250); // a copy for each would take 1.6 GiB
      for (const socket of sockets) socket.destroy();
    },
    10_000,
  );

  test("makes the text once for each list, and HEAD has its length", async () => {
    await using server = serve();
    const { headers } = await fetch(server.url, { method: "HEAD" });
    const { byteLength } = await (await fetch(server.url)).bytes();
    expect([byteLength > 2 ** 24, headers.get("content-length")]).toEqual([true, `${byteLength}`]);
    const before = process.cpuUsage();
    for (let n = 0; n < 1_000; n += 1) modelsResponse(REQUEST, TARGET, LONG);
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(500); // serialising each time would take 40 s
  });
});

describe("modelResponse()", () => {
  test("returns the model's object with every field", async () => {
    const model = { id: "a", owned_by: "vllm", created: 1 };
    const response = responseOf("a", modelsWith("live", true, model));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(model);
  });

  test.each<[name: string, id: string]>([
    ["alias", "name:latest"],
    ["name", "name:latest"],
    ["base:adapter", "adapter"],
  ])("returns the object that the server lists for %p", async (name, id) => {
    const table = new RoutingTable();
    const listed = [
      { id: "name:latest", aliases: ["alias"] },
      { id: "adapter", parent: "base" },
    ];
    table.admit(makeBackend({ models: listed }));
    const response = responseOf(name, { routes: table, isReady: () => true });
    expect<unknown>(await response.json()).toEqual(listed.find((entry) => entry.id === id));
  });

  test.each<[kind: "draining" | "unknown", ready: boolean, status: number, code: string]>([
    ["draining", true, 503, "backend_draining"],
    ["draining", false, 503, "backend_draining"],
    ["unknown", true, 404, "model_not_found"],
    ["unknown", false, 503, "starting"],
  ])("for a %s model, ready: %p, returns %d %s", async (kind, ready, status, code) => {
    const response = responseOf("a", modelsWith(kind, ready, { id: "a" }));
    expect(response.status).toBe(status);
    expect(((await response.json()) as ErrorBody).error.code).toBe(code);
  });
});

const CONTAINER = { source: "docker", id: "c" };

describe("noBackend()", () => {
  test.each([true, false])(
    "is a 503 for a model whose server is starting again, proxy ready: %p",
    async (ready) => {
      const models = modelsWith("unknown", ready, { id: "m" });
      models.table.expect(CONTAINER, { models: [{ id: "m" }] });
      const response = refusalOf("m", models);
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
      expect(((await response.json()) as ErrorBody).error.code).toBe("backend_unavailable");
    },
  );

  test.each([undefined, "paused", "unhealthy", "stopping"] as const)(
    "says why the only server of a model takes no requests: %p",
    async (trouble) => {
      const models = modelsWith("unknown", true, { id: "m" });
      models.table.expect(CONTAINER, { models: [{ id: "n" }], trouble });
      const { error } = (await refusalOf("n", models).json()) as ErrorBody;
      expect(error.message).toBe(
        `Cannot route the request: the server of model "n" is ${trouble ?? "starting"}; try again shortly`,
      );
    },
  );

  test.each<[trouble: Trouble | undefined, said: string]>([
    ["paused", "paused"],
    ["unhealthy", "unhealthy"],
    ["drained", "drained"],
    ["stopping", "stopping"],
    [undefined, "stopping, drained, unhealthy or paused"],
  ])("says why a draining server takes no requests: %p", async (trouble, said) => {
    const table = new RoutingTable();
    const backend = makeBackend();
    table.admit(backend);
    table.drain(backend);
    table.expect(backend.run, { models: [{ id: "m" }], trouble });
    const response = refusalOf("m", { routes: table, isReady: () => true });
    const { error } = (await response.json()) as ErrorBody;
    expect([response.status, error.code, error.message]).toEqual([
      503,
      "backend_draining",
      `Cannot route the request: every server of model "m" is ${said}; try again shortly`,
    ]);
  });

  test.each<["draining" | "unknown", ready: boolean]>([
    ["draining", true],
    ["unknown", true],
    ["unknown", false],
  ])("names a %s model, ready: %p, and cuts a long name", async (kind, ready) => {
    const id = "y".repeat(300);
    const response = refusalOf(id, modelsWith(kind, ready, { id }));
    const { error } = (await response.json()) as ErrorBody;
    expect(error.message).toContain(`"${"y".repeat(256)}…"`);
    expect(error.message).not.toContain("y".repeat(257));
  });
});

test.each<[known: readonly string[], hint: string]>([
  [["llama-3.1", "qwen", "other"], 'did you mean "llama-3.1"?'],
  [["LLAMA-3", "llama-3.1", "bge"], 'did you mean "LLAMA-3", "llama-3.1"?'],
  [["bge-m3"], "there is 1 model; GET /v1/models has the list"],
  [["bge-m3", "whisper"], "there are 2 models; GET /v1/models has the list"],
  [[], "the proxy has no models at the moment"],
])("the message for the unknown model llama-3 if the proxy knows %p", async (known, hint) => {
  const table = new RoutingTable();
  table.admit(makeBackend({ models: known.map((id) => ({ id })) }));
  const response = refusalOf("llama-3", { routes: table, isReady: () => true });
  const { error } = (await response.json()) as ErrorBody;
  expect(error.message).toBe(`Cannot route the request: no server has model "llama-3"; ${hint}`);
});

test("the message for an unknown model stays short with 10,000 long model names", async () => {
  const table = new RoutingTable();
  const ids = Array.from({ length: 10_000 }, (_, n) => `${n}${"\u0001".repeat(2_000)}`);
  table.admit(makeBackend({ models: ids.map((id) => ({ id })) }));
  const response = refusalOf("\u0001".repeat(60_000), { routes: table, isReady: () => true });
  const { error } = (await response.json()) as ErrorBody;
  expect(error.code).toBe("model_not_found");
  expect(error.message.length).toBeLessThan(11 * 6 * 257 + 200);
});

describe("modelIdOf()", () => {
  test.each<[encoded: string, id: string]>([
    ["llama", "llama"],
    ["org/name", "org/name"],
    ["org%2Fname%3A7b", "org/name:7b"],
    ["mod%C3%A8le%20x", "modèle x"],
    ["a+b", "a+b"],
    ["%252F", "%2F"],
    ["50%", "50%"],
    ["%ff", "%ff"],
    ["", ""],
  ])("decodes %p to %p", (encoded, id) => {
    expect(modelIdOf(encoded)).toBe(id);
  });
});
