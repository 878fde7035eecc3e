import { describe, expect, test } from "bun:test";
import { A_JSON_OBJECT } from "../../src/proxy/body/json-states.ts";
import { NO_BOUNDARY } from "../../src/proxy/body/judge.ts";
import type { ReadResult } from "../../src/proxy/body/read-result.ts";
import { type Destination, destinationOf, searchesForm } from "../../src/proxy/destination.ts";
import { ResponseIds } from "../../src/proxy/response-ids.ts";
import { splitTarget } from "../../src/proxy/target.ts";
import {
  BY_ID,
  BY_QUERY,
  IN_BODY,
  IN_QUERY,
  statusAndCode,
  UNKNOWN,
  UNNAMED,
} from "../support/proxy/destinations.ts";
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
const NO_OBJECT: Verdict = { kind: "invalid", offset: 0, expected: A_JSON_OBJECT };
const OVERLOADED: Verdict = { kind: "overloaded" };
const OTHER: Verdict = { kind: "other" };

const MAKER = makeBackend();

/** Knows that `MAKER` made the responses `resp_1` and `a/b`. */
function responses(): ResponseIds {
  const ids = new ResponseIds(() => true);
  for (const id of ["resp_1", "a/b"]) ids.reader(MAKER)(Buffer.from(`{"id":"${id}"}`));
  return ids;
}

function destination(path: string, verdict: Verdict, method = "POST"): Destination {
  return destinationOf({ method }, splitTarget(`http://a${path}`), verdict, responses());
}

const BY_MAKER: Destination = { kind: "run", run: MAKER.run, responseId: "resp_1" };

describe("destinationOf()", () => {
  test.each<[what: string, path: string, verdict: Verdict, to: Destination]>([
    ["a model in the body", "/v1/x", FOUND, IN_BODY],
    ["a model in the body and another in the query", "/v1/x?model=n", FOUND, IN_BODY],
    ["a model in the body, a response in the path", "/v1/responses/resp_1", FOUND, IN_BODY],
    ["no body, and a model in the query", "/v1/x?a=1&model=m", NO_BODY, IN_QUERY],
    ["outside the prefix: a model in the body", "/embed", FOUND, IN_BODY],
    ["outside the prefix: a model in the query", "/embed?model=m", NO_MODEL, IN_QUERY],
    ["outside the prefix: another body, a model in the query", "/embed?model=m", OTHER, IN_QUERY],
    ["a body without a model, and a model in the query", "/v1/x?model=m", NO_MODEL, IN_QUERY],
    ["a null model, and a model in the query", "/v1/x?model=m", NULL, IN_QUERY],
    ["an empty model, and a model in the query", "/v1/x?model=m", EMPTY, IN_QUERY],
    ["too many bytes, and a model in the query", "/v1/x?model=m", { kind: "too much" }, IN_QUERY],
    ["a JSON array, and a model in the query", "/v1/x?model=m", NO_OBJECT, IN_QUERY],
    ["a body that continues a response", "/v1/responses", after("resp_1"), BY_MAKER],
    ["such a body, and a model in the query", "/v1/responses?model=m", after("resp_1"), IN_QUERY],
    [
      "a body that continues an unknown response",
      "/v1/responses",
      after("resp_2"),
      { ...UNKNOWN, namedIn: "body" },
    ],
    [
      "a body that continues a response, another response in the path",
      "/v1/responses/resp_1",
      after("resp_2"),
      BY_MAKER,
    ],
    ["a file", "/v1/files", OTHER, BY_ID],
    ["a batch", "/v1/batches", NO_MODEL, BY_ID],
    ["a conversation without a body", "/v1/conversations", NO_BODY, BY_ID],
    ["a path below a vector store", "/v1/vector_stores/v/search", NO_MODEL, BY_ID],
    ["a batch, and a model in the query", "/v1/batches/b/cancel?model=m", NO_BODY, IN_QUERY],
    ["a batch, and a model in the body", "/v1/batches?model=n", FOUND, IN_BODY],
    ["a job to cancel", "/v1/fine_tuning/jobs/j/cancel", NO_BODY, BY_QUERY],
    ["a body of another kind", "/v1/x", OTHER, UNNAMED],
    ["a body of another kind, and a model in the query", "/v1/x?model=m", OTHER, IN_QUERY],
    ["an adapter", "/v1/load_lora_adapter", NO_MODEL, UNNAMED],
    ["an adapter, and a model in the query", "/v1/unload_lora_adapter?model=m", NO_MODEL, IN_QUERY],
    ["a response", "/v1/responses/resp_1", NO_BODY, BY_MAKER],
    ["a response, and a model in the query", "/v1/responses/resp_1?model=m", NO_BODY, BY_MAKER],
    ["a path below a response", "/v1/responses/resp_1/cancel", NO_MODEL, BY_MAKER],
    ["an unknown response", "/v1/responses/resp_2", NO_BODY, UNKNOWN],
    ["an unknown response to cancel", "/v1/responses/resp_2/cancel", NO_BODY, UNKNOWN],
    [
      "an unknown response, and a model in the query",
      "/v1/responses/resp_2?model=m",
      NO_BODY,
      IN_QUERY,
    ],
    [
      "a response with an encoded id",
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
    ["no body on an adapter path", "/v1/load_lora_adapter", NO_BODY, "400 model_required"],
    ["a body without a model", "/v1/x", NO_MODEL, "400 model_required"],
    [
      "a body without a model, and an empty model in the query",
      "/v1/x?model=",
      NO_MODEL,
      "400 model_required",
    ],
    ["a body without a model for a new response", "/v1/responses", NO_MODEL, "400 model_required"],
    [
      "a body without a model for input_tokens",
      "/v1/responses/input_tokens",
      NO_MODEL,
      "400 model_required",
    ],
    ["outside the prefix: no model", "/embed", NO_MODEL, "400 model_required"],
    ["outside the prefix: no body", "/embed", NO_BODY, "400 model_required"],
    [
      "outside the prefix: a body that continues a response",
      "/embed",
      after("resp_1"),
      "400 model_required",
    ],
    ["outside the prefix: a body of another kind", "/embed?model=", OTHER, "400 model_required"],
    ["a null model", "/v1/x", NULL, "400 model_required"],
    ["an empty model", "/v1/x", EMPTY, "400 model_required"],
    [
      "a model that is not a string, and one in the query",
      "/v1/x?model=m",
      NO_STRING,
      "400 model_required",
    ],
    [
      "a model that is too long, and one in the query",
      "/v1/x?model=m",
      TOO_LONG,
      "400 model_required",
    ],
    ["a batch whose model is not a string", "/v1/batches", NO_STRING, "400 model_required"],
    ["bad JSON with a model in the query", "/v1/x?model=m", BROKEN, "400 invalid_json"],
    ["bad JSON", "/v1/x", BROKEN, "400 invalid_json"],
    ["a JSON array", "/v1/x", NO_OBJECT, "400 invalid_json"],
    [
      "too many bytes of all requests, and a model in the query",
      "/v1/x?model=m",
      OVERLOADED,
      "503 proxy_overloaded",
    ],
    ["too many bytes", "/v1/x", { kind: "too much" }, "413 model_search_limit"],
    ["too many bytes of all requests", "/v1/x", OVERLOADED, "503 proxy_overloaded"],
  ])("refuses %s", async (_what, path, verdict, answer) => {
    const refused = destination(path, verdict);
    if (refused.kind !== "refused") throw new Error(`It is ${refused.kind}`);
    expect(await statusAndCode(refused.response)).toBe(answer);
  });
});

test("destinationOf() tells a form without a boundary what to do", async () => {
  const refused = destination("/v1/audio/transcriptions", NO_BOUNDARY);
  if (refused.kind !== "refused") throw new Error(`It is ${refused.kind}`);
  expect(await refused.response.json()).toMatchObject({
    error: {
      code: "invalid_json",
      message:
        "Cannot route the request: it is a form, but its Content-Type has no boundary; let the client library set the Content-Type",
    },
  });
});

test.each<[method: string, where: "body" | "query"]>([
  ["POST", "body"],
  ["PUT", "body"],
  ["PATCH", "body"],
  ["GET", "query"],
  ["HEAD", "query"],
  ["DELETE", "query"],
])("destinationOf() tells a %s without a model to name it in the %s", async (method, where) => {
  const hasBody = method.startsWith("P");
  const to = { ...UNNAMED, method, namedIn: where } as const;
  expect(destination("/v1/x", hasBody ? OTHER : NO_BODY, method)).toEqual(to);
  // Some clients send {} with a DELETE.
  if (!hasBody) expect(destination("/v1/x", NO_MODEL, method)).toEqual(to);
  const refused = destination("/v1/x", NO_STRING, method);
  if (refused.kind !== "refused") throw new Error(`It is ${refused.kind}`);
  const text = await refused.response.text();
  expect(text).toContain("?model=");
  expect(text.includes("JSON")).toBe(where === "body");
});

test("searchesForm() is true except on id routes", () => {
  const paths = ["/v1/audio/transcriptions", "/v1/files", "/v1/files/f", "/v1/filesystem"];
  expect(paths.map(searchesForm)).toEqual([true, false, false, true]);
});
