import { describe, expect, test } from "bun:test";
import type { ReadResult } from "../../src/proxy/body/request-body.ts";
import { type Destination, destinationOf, isLoraPath, take } from "../../src/proxy/destination.ts";
import { ResponseIds } from "../../src/proxy/response-ids.ts";
import { splitTarget } from "../../src/proxy/target.ts";
import type { Backend } from "../../src/routing/backend.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import { makeBackend } from "../support/server/backends.ts";

type Verdict = ReadResult["verdict"];

const NO_BODY: Verdict = { kind: "missing", reason: "no body" };
const NO_MODEL: Verdict = { kind: "missing", reason: "no model" };
const FOUND: Verdict = { kind: "found", model: "m" };
const OTHER: Verdict = { kind: "other" };

const MAKER = makeBackend();

/** Knows that `MAKER` has made the responses `resp_1` and `a/b`. */
function responses(): ResponseIds {
  const ids = new ResponseIds(() => true);
  for (const id of ["resp_1", "a/b"]) ids.reader(MAKER)(Buffer.from(`{"id":"${id}"}`));
  return ids;
}

function destination(path: string, verdict: Verdict, method = "POST"): Destination {
  return destinationOf({ method }, splitTarget(`http://a${path}`), verdict, responses());
}

/** An answer of the proxy's own: its status and its code. */
async function shown(response: Response): Promise<string> {
  const { error } = (await response.json()) as { error: { code: string } };
  return `${response.status} ${error.code}`;
}

const MODEL_M: Destination = { kind: "model", model: "m" };
const UNNAMED: Destination = { kind: "unnamed", method: "POST" };
const BY_MAKER: Destination = { kind: "run", run: MAKER.run, responseId: "resp_1" };

describe("destinationOf()", () => {
  test.each<[what: string, path: string, verdict: Verdict, to: Destination]>([
    ["a model in the body", "/v1/x", FOUND, MODEL_M],
    ["one in the body and another in the query", "/v1/x?model=n", FOUND, MODEL_M],
    ["one in the body of a path of responses", "/v1/responses/resp_1", FOUND, MODEL_M],
    ["no body", "/v1/x", NO_BODY, UNNAMED],
    ["no body, and a model in the query", "/v1/x?a=1&model=m", NO_BODY, MODEL_M],
    ["no body, and an empty model in the query", "/v1/x?model=", NO_BODY, UNNAMED],
    ["a model outside the prefix", "/embed", FOUND, MODEL_M],
    ["none there, and a model in the query", "/embed?model=m", NO_MODEL, MODEL_M],
    ["a body of another kind there, and one in the query", "/embed?model=m", OTHER, MODEL_M],
    ["a body of another kind", "/v1/x", OTHER, UNNAMED],
    ["one of another kind, and a model in the query", "/v1/x?model=m", OTHER, MODEL_M],
    ["an adapter", "/v1/load_lora_adapter", NO_MODEL, UNNAMED],
    ["an adapter, and a model in the query", "/v1/unload_lora_adapter?model=m", NO_MODEL, MODEL_M],
    ["a response", "/v1/responses/resp_1", NO_BODY, BY_MAKER],
    ["a response, and a model in the query", "/v1/responses/resp_1?model=m", NO_BODY, BY_MAKER],
    ["what is below a response", "/v1/responses/resp_1/cancel", NO_MODEL, BY_MAKER],
    ["a response that nobody knows", "/v1/responses/resp_2", NO_BODY, UNNAMED],
    ["one with a model in the query", "/v1/responses/resp_2?model=m", NO_BODY, MODEL_M],
    [
      "an encoded id",
      "/v1/responses/a%2Fb",
      NO_BODY,
      { kind: "run", run: MAKER.run, responseId: "a%2Fb" },
    ],
  ])("%s", (_what, path, verdict, to) => {
    expect(destination(path, verdict)).toEqual(to);
  });

  test.each<[what: string, path: string, verdict: Verdict, answer: string]>([
    ["a body without a model", "/v1/x", NO_MODEL, "400 model_required"],
    ["one, whatever the query says", "/v1/x?model=m", NO_MODEL, "400 model_required"],
    ["one that makes a response", "/v1/responses", NO_MODEL, "400 model_required"],
    ["one of input_tokens", "/v1/responses/input_tokens", NO_MODEL, "400 model_required"],
    ["no model outside the prefix", "/embed", NO_MODEL, "400 model_required"],
    ["no body there", "/embed", NO_BODY, "400 model_required"],
    ["a body of another kind there", "/embed?model=", OTHER, "400 model_required"],
    ["an empty model", "/v1/x", { kind: "missing", reason: "empty" }, "400 model_required"],
    ["no string", "/v1/x", { kind: "missing", reason: "not a string" }, "400 model_required"],
    ["a novel", "/v1/x", { kind: "missing", reason: "too long" }, "400 model_required"],
    ["bad JSON", "/v1/x", { kind: "invalid", offset: 3, expected: '":"' }, "400 invalid_json"],
    ["too much", "/v1/x", { kind: "too much" }, "413 model_search_limit"],
    ["too much of all", "/v1/x", { kind: "overloaded" }, "503 proxy_overloaded"],
  ])("refuses %s", async (_what, path, verdict, answer) => {
    const refused = destination(path, verdict);
    if (refused.kind !== "refused") throw new Error(`It is ${refused.kind}`);
    expect(await shown(refused.response)).toBe(answer);
  });
});

describe("take()", () => {
  const [a, b] = [makeBackend({ models: [{ id: "a" }] }), makeBackend({ models: [{ id: "b" }] })];

  function table(active: readonly Backend[], draining: readonly Backend[] = []): RoutingTable {
    const made = new RoutingTable();
    for (const backend of [...active, ...draining]) made.admit(backend);
    return made;
  }

  async function taken(to: Destination, routes: RoutingTable): Promise<string> {
    const lease = take(to, { routes, isReady: () => true });
    if (!(lease instanceof Response)) {
      lease.end();
      return lease.backend.name;
    }
    return shown(lease);
  }

  test.each<[what: string, to: Destination, all: () => RoutingTable, taken: string]>([
    ["a model", { kind: "model", model: "a" }, () => table([a, b]), a.name],
    ["an unknown model", { kind: "model", model: "c" }, () => table([a]), "404 model_not_found"],
    ["a run", { kind: "run", run: a.run, responseId: "r" }, () => table([a, b]), a.name],
    [
      "a run that is gone",
      { kind: "run", run: a.run, responseId: "r" },
      () => table([b]),
      "404 response_not_found",
    ],
    ["no name, one server", UNNAMED, () => table([b]), b.name],
    ["no name, two servers", UNNAMED, () => table([a, b]), "400 model_required"],
    ["no name, no server", UNNAMED, () => table([]), "400 model_required"],
    ["OPTIONS", { kind: "unnamed", method: "OPTIONS" }, () => table([a, b]), b.name],
    [
      "OPTIONS, no server",
      { kind: "unnamed", method: "OPTIONS" },
      () => table([]),
      "503 backend_unavailable",
    ],
  ])("%s", async (_what, to, all, expected) => {
    expect(await taken(to, all())).toBe(expected);
  });

  test("says that a server is stopping, by model and by run", async () => {
    const stopping = makeBackend();
    const routes = table([stopping]);
    routes.drain(stopping);
    expect(await taken(MODEL_M, routes)).toBe("503 backend_draining");
    const run: Destination = { kind: "run", run: stopping.run, responseId: "r" };
    expect(await taken(run, routes)).toBe("503 backend_draining");
  });
});

test("isLoraPath() is of the two paths that load and unload, and of no other", () => {
  const paths = [
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
    "/v1/load_lora_adapter/x",
    "/v1",
  ];
  expect(paths.map(isLoraPath)).toEqual([true, true, false, false]);
});
