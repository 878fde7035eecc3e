import { describe, expect, test } from "bun:test";
import type { ReadResult } from "../../src/proxy/body/request-body.ts";
import {
  type Destination,
  destinationOf,
  isLoraPath,
  searchesForm,
  take,
} from "../../src/proxy/destination.ts";
import { ResponseIds } from "../../src/proxy/response-ids.ts";
import { splitTarget } from "../../src/proxy/target.ts";
import type { Backend } from "../../src/routing/backend.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import { makeBackend } from "../support/server/backends.ts";

type Verdict = ReadResult["verdict"];

const NO_BODY: Verdict = { kind: "missing", reason: "no body" };
const NO_MODEL: Verdict = { kind: "missing", reason: "no model" };
const NULL: Verdict = { kind: "missing", reason: "null" };
const EMPTY: Verdict = { kind: "missing", reason: "empty" };
const NO_STRING: Verdict = { kind: "missing", reason: "not a string" };
const TOO_LONG: Verdict = { kind: "missing", reason: "too long" };
const after = (previousResponseId: string): Verdict => ({ ...NO_MODEL, previousResponseId });
const FOUND: Verdict = { kind: "found", model: "m" };
const BROKEN: Verdict = { kind: "invalid", offset: 3, expected: '":"' };
const OVERLOADED: Verdict = { kind: "overloaded" };
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
const UNNAMED: Destination = { kind: "unnamed", method: "POST", namedIn: "body" };
const BY_QUERY: Destination = { ...UNNAMED, namedIn: "query" };
/** About the response `resp_2`, which nobody knows. */
const UNKNOWN: Destination = { ...BY_QUERY, responseId: "resp_2" };
const BY_MAKER: Destination = { kind: "run", run: MAKER.run, responseId: "resp_1" };

describe("destinationOf()", () => {
  test.each<[what: string, path: string, verdict: Verdict, to: Destination]>([
    ["a model in the body", "/v1/x", FOUND, MODEL_M],
    ["one in the body and another in the query", "/v1/x?model=n", FOUND, MODEL_M],
    ["one in the body of a path of responses", "/v1/responses/resp_1", FOUND, MODEL_M],
    ["no body, and a model in the query", "/v1/x?a=1&model=m", NO_BODY, MODEL_M],
    ["a model outside the prefix", "/embed", FOUND, MODEL_M],
    ["none there, and a model in the query", "/embed?model=m", NO_MODEL, MODEL_M],
    ["a body of another kind there, and one in the query", "/embed?model=m", OTHER, MODEL_M],
    ["a body without a model, and one in the query", "/v1/x?model=m", NO_MODEL, MODEL_M],
    ["a null model, and one in the query", "/v1/x?model=m", NULL, MODEL_M],
    ["an empty model, and one in the query", "/v1/x?model=m", EMPTY, MODEL_M],
    ["too much, and a model in the query", "/v1/x?model=m", { kind: "too much" }, MODEL_M],
    ["a body that goes on from a response", "/v1/responses", after("resp_1"), BY_MAKER],
    ["one, and a model in the query", "/v1/responses?model=m", after("resp_1"), MODEL_M],
    [
      "one that goes on from an unknown response",
      "/v1/responses",
      after("resp_2"),
      { ...UNKNOWN, namedIn: "body" },
    ],
    ["one that is about another response", "/v1/responses/resp_1", after("resp_2"), BY_MAKER],
    ["a file", "/v1/files", OTHER, BY_QUERY],
    ["a batch", "/v1/batches", NO_MODEL, BY_QUERY],
    ["a conversation without a body", "/v1/conversations", NO_BODY, BY_QUERY],
    ["what is below one", "/v1/vector_stores/v/search", NO_MODEL, BY_QUERY],
    ["one with a model in the query", "/v1/batches/b/cancel?model=m", NO_BODY, MODEL_M],
    ["one with a model in the body", "/v1/batches?model=n", FOUND, MODEL_M],
    ["a job to cancel", "/v1/fine_tuning/jobs/j/cancel", NO_BODY, BY_QUERY],
    ["a body of another kind", "/v1/x", OTHER, UNNAMED],
    ["one of another kind, and a model in the query", "/v1/x?model=m", OTHER, MODEL_M],
    ["an adapter", "/v1/load_lora_adapter", NO_MODEL, UNNAMED],
    ["an adapter, and a model in the query", "/v1/unload_lora_adapter?model=m", NO_MODEL, MODEL_M],
    ["a response", "/v1/responses/resp_1", NO_BODY, BY_MAKER],
    ["a response, and a model in the query", "/v1/responses/resp_1?model=m", NO_BODY, BY_MAKER],
    ["what is below a response", "/v1/responses/resp_1/cancel", NO_MODEL, BY_MAKER],
    ["a response that nobody knows", "/v1/responses/resp_2", NO_BODY, UNKNOWN],
    ["one to cancel", "/v1/responses/resp_2/cancel", NO_BODY, UNKNOWN],
    ["one with a model in the query", "/v1/responses/resp_2?model=m", NO_BODY, MODEL_M],
    [
      "an encoded id",
      "/v1/responses/a%2Fb",
      NO_BODY,
      { kind: "run", run: MAKER.run, responseId: "a/b" },
    ],
  ])("%s", (_what, path, verdict, to) => {
    expect(destination(path, verdict)).toEqual(to);
  });

  test.each<[what: string, path: string, verdict: Verdict, answer: string]>([
    ["no body", "/v1/x", NO_BODY, "400 model_required"],
    ["no body, and an empty model in the query", "/v1/x?model=", NO_BODY, "400 model_required"],
    ["no body where an adapter is named", "/v1/load_lora_adapter", NO_BODY, "400 model_required"],
    ["a body without a model", "/v1/x", NO_MODEL, "400 model_required"],
    ["one, and an empty model in the query", "/v1/x?model=", NO_MODEL, "400 model_required"],
    ["one that makes a response", "/v1/responses", NO_MODEL, "400 model_required"],
    ["one of input_tokens", "/v1/responses/input_tokens", NO_MODEL, "400 model_required"],
    ["no model outside the prefix", "/embed", NO_MODEL, "400 model_required"],
    ["no body there", "/embed", NO_BODY, "400 model_required"],
    ["one there that goes on from a response", "/embed", after("resp_1"), "400 model_required"],
    ["a body of another kind there", "/embed?model=", OTHER, "400 model_required"],
    ["a null model", "/v1/x", NULL, "400 model_required"],
    ["an empty model", "/v1/x", EMPTY, "400 model_required"],
    ["no string, whatever the query says", "/v1/x?model=m", NO_STRING, "400 model_required"],
    ["a novel, whatever the query says", "/v1/x?model=m", TOO_LONG, "400 model_required"],
    ["no string, also of a batch", "/v1/batches", NO_STRING, "400 model_required"],
    ["bad JSON with a model in the query", "/v1/x?model=m", BROKEN, "400 invalid_json"],
    ["bad JSON", "/v1/x", BROKEN, "400 invalid_json"],
    [
      "too much of all, whatever the query says",
      "/v1/x?model=m",
      OVERLOADED,
      "503 proxy_overloaded",
    ],
    ["too much", "/v1/x", { kind: "too much" }, "413 model_search_limit"],
    ["too much of all", "/v1/x", OVERLOADED, "503 proxy_overloaded"],
  ])("refuses %s", async (_what, path, verdict, answer) => {
    const refused = destination(path, verdict);
    if (refused.kind !== "refused") throw new Error(`It is ${refused.kind}`);
    expect(await shown(refused.response)).toBe(answer);
  });
});

test.each<[method: string, where: "body" | "query"]>([
  ["POST", "body"],
  ["PUT", "body"],
  ["PATCH", "body"],
  ["GET", "query"],
  ["HEAD", "query"],
  ["DELETE", "query"],
])("a %s that names no model is told to name it in the %s", async (method, where) => {
  const verdict = method.startsWith("P") ? OTHER : NO_BODY;
  expect(destination("/v1/x", verdict, method)).toEqual({
    kind: "unnamed",
    method,
    namedIn: where,
  });
  const refused = destination("/v1/x", NO_MODEL, method);
  if (refused.kind !== "refused") throw new Error(`It is ${refused.kind}`);
  const text = await refused.response.text();
  expect(text).toContain("?model=");
  expect(text.includes("JSON")).toBe(where === "body");
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
    ["an unknown response, one server", UNKNOWN, () => table([b]), b.name],
    ["an unknown response, two servers", UNKNOWN, () => table([a, b]), "404 response_not_found"],
    ["an unknown response, no server", UNKNOWN, () => table([]), "404 response_not_found"],
    ["no name, no server", UNNAMED, () => table([]), "400 model_required"],
    ["OPTIONS", { ...BY_QUERY, method: "OPTIONS" }, () => table([a, b]), b.name],
    [
      "OPTIONS, no server",
      { ...BY_QUERY, method: "OPTIONS" },
      () => table([]),
      "503 backend_unavailable",
    ],
  ])("%s", async (_what, to, all, expected) => {
    expect(await taken(to, all())).toBe(expected);
  });

  test("does not call a response unknown while the proxy is starting", async () => {
    const routes = table([a, b]);
    const answer = take(UNKNOWN, { routes, isReady: () => false });
    expect(answer instanceof Response && (await shown(answer))).toBe("503 starting");
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

test.each<[path: string, backends: readonly Backend[], searched: boolean]>([
  ["/v1/audio/transcriptions?model=m", [makeBackend()], true],
  ["/v1/files", [makeBackend({ models: [{ id: "a" }] }), makeBackend()], true],
  ["/v1/files?model=", [makeBackend({ models: [{ id: "a" }] }), makeBackend()], true],
  ["/v1/files?model=m", [makeBackend({ models: [{ id: "a" }] }), makeBackend()], false],
  ["/v1/files", [makeBackend()], false],
])("searchesForm() of %s says whether a form decides where it goes", (path, backends, searched) => {
  const routes = new RoutingTable();
  for (const backend of backends) routes.admit(backend);
  expect(searchesForm(splitTarget(`http://a${path}`), routes)).toBe(searched);
  expect(backends.map(({ inFlight }) => inFlight)).toEqual(backends.map(() => 0));
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
