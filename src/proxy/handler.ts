/** The phases of a request, in order. */
import type { RoutingTable } from "../routing/table.ts";
import type { Log } from "../telemetry/log.ts";
import { clientGone, errorResponse, overloaded } from "./errors.ts";
import { forward } from "./forward.ts";
import { modelIdOf, modelResponse, modelsResponse, noBackend } from "./models-list.ts";
import { type ModelField, readModelField } from "./request-body.ts";
import { climbs, splitTarget, type Target } from "./target.ts";
import { PATIENCE, type Patience } from "./upstream-abort.ts";

export type HandlerInit = {
  readonly table: RoutingTable;
  readonly log: Log;
  /** Whether the models of all containers found at start are known. */
  readonly isReady: () => boolean;
  /** Most bytes of one request to hold while its model has not come. */
  readonly heldBytesMax?: number;
  readonly patience?: Patience;
  /** Whether there is room for one more request; counts it in if there is. */
  readonly admit?: () => boolean;
};

/** What the handler has to know of a client's connection. */
export type Client = {
  /** IP address. */
  readonly address: string | undefined;
  /** Keeps the connection open however silent it is, until `release` is called. */
  readonly hold: () => void;
  readonly release: () => void;
};

export type Handler = (request: Request, client: Client) => Response | Promise<Response>;

const HELD_BYTES_MAX = 128 * 1024 * 1024;
const MODELS = "/v1/models";

export function createHandler(init: HandlerInit): Handler {
  return (request, client) => {
    const target = splitTarget(request.url);
    return (
      refusal(request, target) ??
      local(request, target, init) ??
      proxied(request, target, client, init)
    );
  };
}

/** What is answered whatever the path. */
function refusal({ method, headers }: Request, { path }: Target): Response | undefined {
  if (method === "CONNECT" || method === "TRACE") {
    return errorResponse(
      "method_not_allowed",
      `Cannot serve the request: ${method} is not supported`,
    );
  }
  if (headers.get("upgrade")?.toLowerCase().includes("websocket")) {
    return errorResponse(
      "upgrade_unsupported",
      "Cannot serve the request: WebSockets are not supported",
    );
  }
  if (climbs(path)) {
    return errorResponse(
      "invalid_path",
      'Cannot route the request: the path has a ".." segment in it',
    );
  }
  return undefined;
}

/** What the proxy answers from memory. */
function local({ method }: Request, { path }: Target, init: HandlerInit): Response | undefined {
  if (path === "/healthz") return text(200, "ok");
  if (path === "/readyz") return init.isReady() ? text(200, "ready") : text(503, "starting");
  if (!path.startsWith("/v1/")) {
    return errorResponse("not_found", "Cannot serve the request: the API is below /v1/");
  }
  if (method !== "GET" && method !== "HEAD") return undefined;
  if (path === MODELS) return modelsResponse(init.table.models);
  if (!path.startsWith(`${MODELS}/`)) return undefined;
  const id = modelIdOf(path.slice(MODELS.length + 1));
  return modelResponse(id, init);
}

async function proxied(
  request: Request,
  target: Target,
  client: Client,
  init: HandlerInit,
): Promise<Response> {
  const encoding = request.headers.get("content-encoding");
  if (encoding && encoding.toLowerCase() !== "identity") {
    return errorResponse(
      "unsupported_encoding",
      "Cannot read the model of the request: its body is encoded; send it without Content-Encoding",
    );
  }
  if (init.admit?.() === false) {
    return overloaded(
      "Cannot route the request: the proxy is out of file descriptors; try again shortly",
    );
  }
  client.hold();
  try {
    const field = await readModelField(request, init.heldBytesMax ?? HELD_BYTES_MAX);
    if (field.kind !== "found") return done(client, unroutable(field));
    // Asked before the rest of the body is read, and again when it is: that may take a while.
    if (init.table.find(field.model).kind !== "live") {
      field.discard();
      return done(client, noBackend(field.model, init));
    }
    const body = await field.body();
    const route = init.table.route(field.model); // takes the lease: no await between here and forward()
    if (route.kind !== "routed") return done(client, noBackend(field.model, init));
    const clientAddress = client.address;
    const { model } = field;
    const outbound = { request, target, model, body, clientAddress, onEnd: client.release };
    const { table, log, patience = PATIENCE } = init;
    return await forward(outbound, route.lease, { table, log, patience });
  } catch (error) {
    client.release();
    if (!request.signal.aborted) throw error;
    return clientGone();
  }
}

function done(client: Client, response: Response): Response {
  client.release();
  return response;
}

function unroutable(field: Exclude<ModelField, { kind: "found" }>): Response {
  switch (field.kind) {
    case "missing":
      return errorResponse(
        "model_required",
        `Cannot route the request: ${MISSING[field.why]}; name the model in a JSON object: {"model": "…"}`,
      );
    case "invalid":
      return errorResponse(
        "invalid_json",
        `Cannot read the model of the request: expected ${field.expected} at byte ${field.offset} of the body`,
      );
    case "too much":
      return errorResponse(
        "model_search_limit",
        'Cannot read the model of the request: too many bytes came before it; put "model" first',
      );
  }
}

const MISSING = {
  "no body": "it has no body",
  "no model": 'its body has no "model"',
  "not a string": '"model" is not a string',
  empty: '"model" is empty',
} as const;

function text(status: number, body: string): Response {
  return new Response(`${body}\n`, { status, headers: { "content-type": "text/plain" } });
}
