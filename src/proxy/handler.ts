/** The phases of a request, in order. */
import { newPseudonym } from "../ground/pseudonym.ts";
import type { Backend } from "../routing/backend.ts";
import type { ModelLookup } from "../routing/routes.ts";
import type { Server } from "../routing/run.ts";
import type { Log } from "../telemetry/log.ts";
import {
  NO_REPORT,
  NO_TELEMETRY,
  type RequestReport,
  type Telemetry,
} from "../telemetry/telemetry.ts";
import { KeptBytes } from "./body/kept-bytes.ts";
import { Payloads } from "./body/payload.ts";
import { readModelField } from "./body/request-body.ts";
import { type Destination, destinationOf, isLoraPath, take } from "./destination.ts";
import { type Forwarded, forward } from "./forward.ts";
import {
  clientGone,
  codeOf,
  errorResponse,
  outOfDescriptors,
  readableByBrowsers,
} from "./own/errors.ts";
import { createInner } from "./own/inner.ts";
import { isRead, local, MODELS } from "./own/local.ts";
import { type Models, modelIdOf, modelResponse, noBackend } from "./own/models-list.ts";
import { refusal } from "./own/refusal.ts";
import { ResponseIds } from "./response-ids.ts";
import { splitTarget, type Target } from "./target.ts";
import { PATIENCE, type Patience } from "./upstream-abort.ts";
import { loopOf } from "./via.ts";

export type HandlerInit = Models & {
  readonly log: Log;
  /** What `GET /status` shows, as JSON. */
  readonly status?: () => unknown;
  /** Names under which inner pages may be asked for, beside local ones: as `hostName` has them. */
  readonly trustedHosts?: readonly string[];
  /** Most bytes of one request to keep while its model has not come. */
  readonly keptBytesMax?: number;
  readonly patience?: Patience;
  /** Whether there is room for one more request; counts it in if there is. */
  readonly admit?: () => boolean;
  /** Has the servers asked for their models again; may resolve at once if they just were. */
  readonly refreshModels?: () => Promise<void>;
  /** The same for the one server. */
  readonly refreshModelsOf?: (server: Server) => Promise<void>;
  /** Counts what is kept of bodies; made from `keptBytesMax` if it is not given. */
  readonly kept?: KeptBytes;
  /** Most bytes of bodies that fetch may keep while their answers come. */
  readonly fetchKeptBytesMax?: number;
  /** The proxy's name in `Via`; a new one if it is not given. */
  readonly pseudonym?: string;
  /** Off if it is not given. */
  readonly telemetry?: Telemetry;
};

/** What the handler has to know of a client's connection. */
export type Client = {
  /** IP address. */
  readonly address: string | undefined;
  /** It is for the client to send: if it stays silent, its connection is closed. */
  readonly expect: () => void;
  /** Keeps the connection open however silent it is, until `release` or `expect` is called. */
  readonly hold: () => void;
  /** The request is over. */
  readonly release: () => void;
};

export type Handler = (request: Request, client: Client) => Response | Promise<Response>;

/** What lasts from request to request. */
type Context = HandlerInit & {
  readonly kept: KeptBytes;
  readonly payloads: Payloads;
  /** Of this process, in `Via`. */
  readonly pseudonym: string;
  readonly responses: ResponseIds;
  readonly telemetry: Telemetry;
};

type Incoming = {
  readonly request: Request;
  readonly target: Target;
  readonly client: Client;
  readonly report: RequestReport;
};

const KEPT_BYTES_MAX = 128 * 1024 * 1024;
/** How long a request for an unknown model waits for the servers to be asked again. */
const REFRESH_MS = 1_000;
const RESPONSES = "/v1/responses";

export function createHandler(init: HandlerInit): Handler {
  const kept = init.kept ?? new KeptBytes(init.keptBytesMax ?? KEPT_BYTES_MAX);
  const { routes, telemetry = NO_TELEMETRY } = init;
  const context: Context = {
    ...init,
    kept,
    payloads: new Payloads(kept, init.fetchKeptBytesMax),
    pseudonym: init.pseudonym ?? newPseudonym(),
    responses: new ResponseIds((run) => routes.hasRun(run)),
    telemetry,
  };
  const { log, status, trustedHosts } = init;
  const inner = createInner({ log, status, trustedHosts, scrape: telemetry.scrape });
  return (request, client) => {
    const target = splitTarget(request.url);
    const refused = refusal(request, target);
    if (inner.has(target.path)) return refused ?? inner.answer(request, target);
    const own = refused ?? local(request, target, context);
    return own === undefined
      ? proxied({ request, target, client, report: reportOf(request, target, context) }, context)
      : readableByBrowsers(request, own);
  };
}

function readsModel(request: Request, { path }: Target): boolean {
  return path.startsWith(`${MODELS}/`) && isRead(request);
}

/** What is answered from memory is not reported. */
function reportOf(request: Request, target: Target, { telemetry }: Context): RequestReport {
  return readsModel(request, target) ? NO_REPORT : telemetry.request(request, target.path);
}

async function proxied(incoming: Incoming, context: Context): Promise<Response> {
  const { request, client, report } = incoming;
  try {
    const { response, fromBackend } = await routed(incoming, context);
    if (fromBackend) return response; // which lets go of the client when it ends
    client.release();
    report.answered(response.status, codeOf(response));
    return readableByBrowsers(request, response);
  } catch (error) {
    client.release();
    const isGone = request.signal.aborted;
    report.answered(isGone ? 499 : 500, isGone ? "client_gone" : "internal_error");
    if (!isGone) throw error;
    return clientGone();
  }
}

async function routed(
  { request, target, client, report }: Incoming,
  context: Context,
): Promise<Forwarded> {
  if (readsModel(request, target)) {
    const id = modelIdOf(target.path.slice(MODELS.length + 1));
    return ofOurs(modelResponse(request, id, await findOrRefresh(id, context), context));
  }
  const refused = loopOf(request, context.pseudonym) ?? unreadable(request, context);
  if (refused !== undefined) return ofOurs(refused);

  const read = await readModelField(request, context.kept, client);
  const destination = destinationOf(request, target, read.verdict, context.responses);
  // We look twice: reading the rest of the body may take long, and the server may go meanwhile.
  const nobody = await nobodyFor(destination, report, context);
  if (nobody !== undefined) {
    read.discard();
    return ofOurs(nobody);
  }
  const body = await read.body();
  client.hold(); // from here on it may be silent for long, unless there is more for it to send
  const lease = take(destination, context); // no await between here and forward()
  if (lease instanceof Response) {
    read.discard();
    return ofOurs(lease);
  }
  const { routes, log, payloads, pseudonym, patience = PATIENCE } = context;
  const forwarded = await forward(
    {
      request,
      target,
      model: destination.kind === "model" ? destination.model : undefined,
      clientAddress: client.address,
      report,
      onEnd: client.release,
      onAnswer: (upstream, backend) => {
        read.answered();
        return onAnswer({ request, target }, upstream, backend, context);
      },
    },
    body,
    lease,
    { routes, log, patience, payloads, pseudonym },
  );
  // A stream lets go of what it holds as it is read; one that was never read is let go of here.
  if (!forwarded.fromBackend) read.discard();
  else if (!(body instanceof ReadableStream)) read.release();
  return forwarded;
}

function ofOurs(response: Response): Forwarded {
  return { response, fromBackend: false };
}

/** What can't be read, or there is no room for. */
function unreadable(request: Request, { admit }: Context): Response | undefined {
  const encoding = request.headers.get("content-encoding");
  // The body last: asked for, it is made a stream, and no longer read as cheaply as it can be.
  if (encoding && encoding.toLowerCase() !== "identity" && request.body !== null) {
    return errorResponse(
      "unsupported_encoding",
      "Cannot read the model of the request: its body is encoded; send it without Content-Encoding",
    );
  }
  if (admit?.() !== false) return undefined;
  return outOfDescriptors("route");
}

/** The answer where it is clear already that nobody can take the request. */
async function nobodyFor(
  destination: Destination,
  report: RequestReport,
  context: Context,
): Promise<Response | undefined> {
  if (destination.kind === "refused") return destination.response;
  if (destination.kind !== "model") return undefined;
  const { model } = destination;
  const found = await findOrRefresh(model, context);
  report.named(model, found.kind !== "unknown");
  return found.kind === "live" ? undefined : noBackend(model, found, context);
}

/** Adapters and pulled models come while a server runs: it is asked before a model is called unknown. */
async function findOrRefresh(model: string, context: Context): Promise<ModelLookup> {
  const { routes, isReady, refreshModels } = context;
  const found = routes.find(model);
  if (found.kind !== "unknown" || refreshModels === undefined || !isReady()) return found;
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, REFRESH_MS);
  await Promise.race([refreshModels(), late.promise]);
  clearTimeout(timer);
  return routes.find(model);
}

/** What an answer tells us as it passes: who made a response, and that a server's models have changed. */
function onAnswer(
  { request, target }: { readonly request: Request; readonly target: Target },
  upstream: Response,
  backend: Backend,
  { responses, refreshModelsOf }: Context,
): ((piece: Uint8Array) => void) | undefined {
  if (!upstream.ok || request.method !== "POST") return undefined;
  if (isLoraPath(target.path)) void refreshModelsOf?.(backend.run);
  const readable = target.path === RESPONSES && !upstream.headers.has("content-encoding");
  return readable ? responses.reader(backend) : undefined;
}
