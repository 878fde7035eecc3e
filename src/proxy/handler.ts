/**
 * Runs the phases of a request in order: the proxy's own answers, reading the model, choosing a server, forwarding.
 * Each phase has its own file.
 */
import { isLoraPath, MODELS, RESPONSES } from "../ground/paths.ts";
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
import { type Answer, ofOurs } from "./answer.ts";
import { askingOf, mayRepeat, readTo } from "./asking.ts";
import { KeptBytes } from "./body/kept-bytes.ts";
import { Payloads } from "./body/payload.ts";
import { isReadWhole, readModelField } from "./body/request-body.ts";
import { BrokenAnswers } from "./broken-answers.ts";
import { destinationOf, searchesForm } from "./destination.ts";
import { type Client, Exchange } from "./exchange.ts";
import { type FindInit, findModel } from "./find-model.ts";
import { Forwarder, type ForwardInit } from "./forward.ts";
import { handshakeRefusal, hasHttpInstead, overHttp } from "./handshake.ts";
import { type Addressed, mayPass } from "./lease.ts";
import { clientGone, errorCodeOf, type Refusal, readableByBrowsers, refuse } from "./own/errors.ts";
import { createInner, type InnerInit } from "./own/inner.ts";
import { isRead, local } from "./own/local.ts";
import { modelIdOf, modelResponse, noBackend } from "./own/models-list.ts";
import { refusal, unreadable } from "./own/refusal.ts";
import { ResponseIds } from "./response-ids.ts";
import type { Passing } from "./send.ts";
import { mayWait, takeOrWait } from "./take-or-wait.ts";
import { splitTarget, type Target } from "./target.ts";
import { PATIENCE, type Patience } from "./upstream-abort.ts";
import { loopOf } from "./via.ts";
import type { WaitingRoom } from "./waiting-room.ts";

export type HandlerInit = FindInit & {
  readonly log: Log;
  /** The content of `GET /status`. */
  readonly status?: InnerInit["status"];
  /** The content of `GET /sd/prometheus`: see `InnerInit`. */
  readonly scrapeTargets?: InnerInit["scrapeTargets"];
  /** Host names for inner pages, in addition to local ones; in the form that `hostName` returns. */
  readonly trustedHosts?: readonly string[];
  /** The most bytes of one request that are kept while its model is not found yet. */
  readonly keptBytesMax?: number;
  /** Without it no request waits. */
  readonly waitingRoom?: WaitingRoom;
  readonly patience?: Patience;
  /** The handler makes its own if this is missing. */
  readonly brokenAnswers?: BrokenAnswers;
  /** Says whether there are file descriptors for one more request. If so, counts the request in. */
  readonly hasRoom?: () => boolean;
  /** Asks one server for its model list again. Resolves at once when that was done moments ago. */
  readonly refreshModelsOf?: (server: Server) => Promise<void>;
  /** Counts the kept bytes of bodies. Made from `keptBytesMax` if this is missing. */
  readonly kept?: KeptBytes;
  /** The most bytes of bodies that fetch may keep until their answers end. */
  readonly fetchKeptBytesMax?: number;
  /** The proxy's name in `Via`. Random if this is missing. */
  readonly pseudonym?: string;
  /** Without it there is no telemetry. */
  readonly telemetry?: Telemetry;
};

/** Answers a request. Returns undefined if the connection is a WebSocket now. */
export type Handler = (
  request: Request,
  client: Client,
) => Response | Promise<Response | undefined>;

/** What all requests share. */
type Context = HandlerInit & {
  readonly kept: KeptBytes;
  /** This process's name in `Via`. */
  readonly pseudonym: string;
  readonly responses: ResponseIds;
  readonly telemetry: Telemetry;
  readonly forwarder: Forwarder;
};

const KEPT_BYTES_MAX = 128 * 1024 * 1024;

export function createHandler(init: HandlerInit): Handler {
  const context = contextOf(init);
  const { log, status, scrapeTargets, trustedHosts } = init;
  const { scrape } = context.telemetry;
  const inner = createInner({ log, status, scrapeTargets, trustedHosts, scrape });
  return (request, client) => {
    const target = splitTarget(request.url);
    const refused = refusal(request, target);
    if (inner.has(request, target)) return refused ?? inner.answer(request, target);
    const own = refused ?? local(request, target, context);
    if (own !== undefined) return readableByBrowsers(request, own);
    const report = reportOf(request, target, context);
    return proxied(new Exchange(request, target, client, report), context);
  };
}

function contextOf(init: HandlerInit): Context {
  const { routes, log, patience = PATIENCE, telemetry = NO_TELEMETRY } = init;
  const { waitingRoom } = init;
  if (waitingRoom !== undefined) routes.onChange(() => waitingRoom.wake());
  const kept = init.kept ?? new KeptBytes(init.keptBytesMax ?? KEPT_BYTES_MAX);
  const payloads = new Payloads(kept, init.fetchKeptBytesMax);
  const pseudonym = init.pseudonym ?? newPseudonym();
  const responses = new ResponseIds((run) => routes.hasRun(run));
  const onAnswer = (
    ...[exchange, upstream, backend]: Parameters<ForwardInit["onAnswer"]>
  ): Passing => learn(exchange, upstream, backend, context);
  const { brokenAnswers = new BrokenAnswers({ log }) } = init;
  const forwarder = new Forwarder({
    ...{ routes, log, patience, brokenAnswers, payloads, pseudonym, onAnswer },
  });
  const context: Context = { ...init, kept, pseudonym, responses, telemetry, forwarder };
  return context;
}

function readsModel(request: Request, { path }: Target): boolean {
  return path.startsWith(`${MODELS}/`) && isRead(request);
}

/** Answers from memory get no report. */
function reportOf(request: Request, target: Target, { telemetry }: Context): RequestReport {
  return readsModel(request, target) ? NO_REPORT : telemetry.request(request, target.path);
}

async function proxied(exchange: Exchange, context: Context): Promise<Response | undefined> {
  const { request } = exchange;
  try {
    const { isHandshake } = exchange;
    const { response, by } = await (isHandshake ? answerTo : routed)(exchange, context);
    if (by !== "proxy") return response; // the exchange ends with its body
    exchange.answeredByProxy(response.status, errorCodeOf(response));
    return readableByBrowsers(request, response);
  } catch (error) {
    if (!request.signal.aborted) {
      exchange.answeredByProxy(500, "internal_error");
      throw error;
    }
    exchange.answeredByProxy(499, "client_gone");
    return clientGone();
  }
}

/** Answers a handshake. A refusal may tell the client to use HTTP instead. */
async function answerTo(exchange: Exchange, context: Context): Promise<Answer> {
  const answer = await routed(exchange, context);
  const { target, asked } = exchange;
  if (answer.by !== "proxy" || !hasHttpInstead(target)) return answer;
  return ofOurs(overHttp(answer.response, asked !== undefined));
}

async function routed(exchange: Exchange, context: Context): Promise<Answer> {
  const { request, target, client } = exchange;
  if (readsModel(request, target)) {
    const id = modelIdOf(target.path.slice(MODELS.length + 1));
    return ofOurs(modelResponse(request, id, await findModel(id, context), context));
  }
  const refused =
    loopOf(request, context.pseudonym) ??
    handshakeRefusal(request, target, exchange.isHandshake) ??
    unreadable(request, context.hasRoom);
  if (refused !== undefined) return ofOurs(refused);

  const isSearched = searchesForm(target.path);
  const read = exchange.owns(await readModelField(request, context.kept, client, isSearched));
  const destination = destinationOf(request, target, read.verdict, context.responses);
  if (destination.kind === "refused") return ofOurs(destination.response);
  // We look twice: reading the rest of the body may take long, and the server may go meanwhile.
  const looked = lookUp(destination, exchange, context);
  const found = looked instanceof Promise ? await looked : looked;
  if ("code" in found) return ofOurs(refuse(found));
  const { readsOn } = found;
  const given = read.body(readTo(target, readsOn));
  const body = given instanceof Promise ? await given : given;
  client.keepOpen(); // from now on the client may be silent for long, unless it has more to send
  const told = read.told();
  const asking = askingOf(target, told, context.responses);
  const repeats = exchange.isHandshake || mayRepeat(request, target, { told, wasRead: readsOn });
  const going = { exchange, destination, body, read, asking, mayRepeat: repeats };
  return takeOrWait(going, context);
}

/** A server may take the request, now or soon. */
type Found = {
  /** The rest of the body matters too, not only its model. */
  readonly readsOn: boolean;
};

/** @returns a refusal if it is already clear that no server will take the request */
function lookUp(
  destination: Addressed,
  exchange: Exchange,
  context: Context,
): Found | Refusal | Promise<Found | Refusal> {
  if (destination.kind !== "model") return { readsOn: false };
  const found = context.routes.find(destination.model);
  if (found.kind === "live") return judgeFound(found, destination, exchange, context);
  return findModel(destination.model, context).then((later) =>
    judgeFound(later, destination, exchange, context),
  );
}

function judgeFound(
  found: ModelLookup,
  destination: Extract<Addressed, { kind: "model" }>,
  exchange: Exchange,
  context: Context,
): Found | Refusal {
  const { model } = destination;
  const { request, target } = exchange;
  exchange.name(model, listedId(found));
  const waits = mayWait(exchange, destination, context.waitingRoom);
  if (found.kind === "live") {
    // A request that may wait may go to a second server. For /v1/responses its body says whether it may be repeated.
    const isDoubted = waits && target.path === RESPONSES && isReadWhole(request);
    return { readsOn: found.isShared || isDoubted };
  }
  if (!waits || !mayPass(found)) return noBackend(model, found, context);
  return { readsOn: isReadWhole(request) }; // several servers may share the model by then
}

/** Reports name models by the ids that servers list, because clients can't invent those. */
function listedId(found: ModelLookup): string | undefined {
  if (found.kind === "unknown") return undefined;
  return found.kind === "live" ? found.model.id : found.id;
}

/** Learns from an answer which server made a response, and that a server's models have changed. */
function learn(
  { request, target }: Exchange,
  upstream: Response,
  backend: Backend,
  { responses, refreshModelsOf }: Context,
): Passing {
  if (!upstream.ok || request.method !== "POST") return undefined;
  if (isLoraPath(target.path)) void refreshModelsOf?.(backend.run);
  const readable = target.path === RESPONSES && !upstream.headers.has("content-encoding");
  return readable ? responses.reader(backend) : undefined;
}
