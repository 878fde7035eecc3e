/**
 * Forwards a request to a backend. Decides whether to try again, and which server to try. `send.ts` sends the request;
 * `failure.ts` and `tries.ts` judge a failed attempt.
 */
import type { Backend } from "../routing/backend.ts";
import type { Asking, Routed, Routes, Saturated } from "../routing/routes.ts";
import type { Answer } from "./answer.ts";
import type { RequestBody } from "./body/read-result.ts";
import { COOL_MS } from "./declined.ts";
import type { Exchange } from "./exchange.ts";
import { type Failure, failureResponse } from "./failure.ts";
import { saturated } from "./lease.ts";
import { clientGone, refuse } from "./own/errors.ts";
import { Sender, type SendInit, type Sent } from "./send.ts";
import type { Setback, Tries } from "./tries.ts";

export type ForwardInit = SendInit & {
  readonly routes: Routes;
};

/** No server answered, and no work was lost: the request may wait for a server. */
export type Unsent = {
  readonly by: "nobody";
  /** Undefined if no attempt failed. */
  readonly failed?: { readonly failure: Failure; readonly backend: Backend };
};

/** A request that is ready to be sent. */
export type Outgoing = {
  readonly exchange: Exchange;
  readonly body: RequestBody;
  /** What routing has looked at. */
  readonly asking: Asking;
  /** The servers that have had the request. */
  readonly tries: Tries;
  /** True if the request may wait when no server answers. */
  readonly mayWait?: boolean;
};

/** The server to ask next. */
type Next = Routed | Saturated | undefined;

/** The result of the last attempt. */
type Last<S> = {
  readonly sent: S;
  readonly routed: Routed;
  /** The answer of the last server that declined the request. */
  readonly declined: Response | undefined;
  readonly othersAreFull: boolean;
};

type Unanswered = Exclude<Sent, { readonly kind: "answered" }>;

export class Forwarder {
  readonly #init: ForwardInit;
  readonly #sender: Sender;

  constructor(init: ForwardInit) {
    this.#init = init;
    this.#sender = new Sender(init);
  }

  /**
   * Resolves when the answer has begun; the lease ends with its body. Must be called in the same step that
   * took the lease.
   *
   * @throws only on a bug of ours, not on a failure of the backend or the client
   */
  async forward(outgoing: Outgoing & { readonly mayWait?: false }, first: Routed): Promise<Answer>;
  async forward(outgoing: Outgoing, first: Routed): Promise<Answer | Unsent>;
  async forward(outgoing: Outgoing, first: Routed): Promise<Answer | Unsent> {
    const { exchange } = outgoing;
    if (first.decision !== undefined) exchange.report.decided(first.decision);
    const sent = await this.#send(outgoing, first, "pooled");
    if (sent.kind === "answered") {
      exchange.bodyIsSent();
      return sent.answer;
    }
    const last = await this.#sendOn(outgoing, first, sent);
    if (last.sent.kind !== "answered") {
      return this.#unanswered(outgoing, { ...last, sent: last.sent });
    }
    exchange.bodyIsSent();
    return last.sent.answer;
  }

  /**
   * Asks one server after the other, until one answers or there is no other server to ask.
   *
   * @param failed the result of the first attempt
   */
  async #sendOn(outgoing: Outgoing, first: Routed, failed: Unanswered): Promise<Last<Sent>> {
    let routed = first;
    let declined: Response | undefined;
    let sent: Sent = failed;
    while (sent.kind !== "answered") {
      if (sent.kind === "declined") declined = sent.copy ?? declined;
      const next = this.#next(outgoing, routed, sent);
      if (next?.kind !== "routed") {
        return { sent, routed, declined, othersAreFull: next !== undefined };
      }
      routed = next;
      sent = await this.#send(outgoing, routed, "fresh");
    }
    return { sent, routed, declined, othersAreFull: false };
  }

  async #unanswered(outgoing: Outgoing, last: Last<Unanswered>): Promise<Answer | Unsent> {
    const { exchange } = outgoing;
    const { sent, routed, declined, othersAreFull } = last;
    const failure = failureOfLast(sent);
    const { backend } = routed.lease;
    if (await this.#mayWait(outgoing, failure, last)) {
      return { by: "nobody", failed: { failure, backend } };
    }
    this.#warnOfFailure(exchange, backend, failure);
    exchange.bodyIsSent(); // release it now, because a 502 may wait for its reason
    if (declined === undefined || failure.abortReason === "client gone") {
      const { asked } = exchange;
      const response = othersAreFull
        ? refuse(saturated(asked))
        : await failureResponse(failure, { model: asked }, this.#endingMs(outgoing, failure));
      // The client may have left while the answer waited for its reason.
      const isGone = exchange.request.signal.aborted;
      return { response: isGone ? clientGone() : response, by: "proxy" };
    }
    exchange.answeredByProxy(declined.status, undefined);
    return { response: declined, by: "backend" };
  }

  /**
   * Answers a request that waited in vain after a server failed it.
   *
   * @param note the end of the message
   */
  async giveUp(
    exchange: Exchange,
    { failure, backend }: NonNullable<Unsent["failed"]>,
    note: string,
  ): Promise<Answer> {
    this.#warnOfFailure(exchange, backend, failure);
    exchange.bodyIsSent();
    const told = { model: exchange.asked, note };
    return { response: await failureResponse(failure, told), by: "proxy" };
  }

  /**
   * Says whether a request that no server answered may wait for another server. If a server may have begun to work on
   * it, only if that server was told to stop: a request that killed a server must not wait for the next one.
   */
  async #mayWait(
    { mayWait, body, tries }: Outgoing,
    { kind, abortReason }: Failure,
    { routed, declined, othersAreFull }: Last<Unanswered>,
  ): Promise<boolean> {
    if (mayWait !== true || body.kind === "stream" || abortReason === "client gone") return false;
    if (declined !== undefined) return false;
    if (othersAreFull || NOTHING_LOST.has(kind)) return true;
    if (kind !== "died") return false;
    const { ending } = routed.lease.backend;
    const end = ending.isStopping ? ending.end : await ending.known(this.#init.patience.runEndMs);
    return (ending.isStopping || end?.kind === "stopped") && tries.mayRepeatAgain;
  }

  /** How much longer an answer waits for the run's end, ms. `#mayWait` may have waited for it already. */
  #endingMs({ mayWait }: Outgoing, { kind }: Failure): number {
    return mayWait === true && kind === "died" ? 0 : this.#init.patience.runEndMs;
  }

  /** Must be called in the step that took the lease. */
  #send(outgoing: Outgoing, routed: Routed, connection: "pooled" | "fresh"): Promise<Sent> {
    const { exchange, body } = outgoing;
    const { lease, mayMove, decision } = routed;
    // Bun resends every request except a POST when a reused connection breaks. We would not know who has had it.
    const mayResend = decision === undefined || exchange.request.method === "POST";
    const attempt = exchange.attempt(lease, this.#init.patience);
    if (connection === "fresh") attempt.watchClient(); // the client may have gone meanwhile
    return this.#sender.send(attempt, body, {
      connection: mayResend ? connection : "fresh",
      keepsHead: mayMove && body.kind !== "stream",
      onDeclined: mayMove ? (coolMs) => this.#declined(outgoing, routed, coolMs) : NOBODY_ELSE,
    });
  }

  /** @returns whether another replica may take the request */
  #declined(
    { exchange, body, tries: { failed } }: Outgoing,
    { lease, model }: Routed,
    coolMs: number,
  ): boolean {
    const { routes } = this.#init;
    routes.cool(lease.backend, coolMs);
    failed.add(lease.backend); // otherwise canMove() would count it
    const name = exchange.asked ?? model;
    return body.kind !== "stream" && name !== undefined && routes.canMove(name, failed);
  }

  /** Takes the lease for another try. @returns undefined if there is no other server to ask */
  #next(outgoing: Outgoing, routed: Routed, sent: Unanswered): Next {
    const { lease, mayMove } = routed;
    if (mayMove && COOLED.has(sent.kind)) this.#init.routes.cool(lease.backend, COOL_MS);
    const again = outgoing.tries.after(sent.kind, routed);
    if (outgoing.body.kind === "stream") return undefined;
    const same = again.same ? lease.backend.acquire(lease.unreadBytes) : undefined;
    if (same === undefined) {
      // Without replicas a request that the newest server has no room for goes to no other server.
      const isFull = again.same && routed.decision === undefined && lease.backend.load.isFull;
      if (isFull) return SATURATED;
      return again.other ? this.#move(outgoing, routed, sent) : undefined;
    }
    outgoing.exchange.report.retry(sent.kind);
    return { ...routed, lease: same };
  }

  #move(outgoing: Outgoing, { lease, mayMove, model }: Routed, sent: Unanswered): Next {
    const { report } = outgoing.exchange;
    const other = this.#elsewhere(outgoing, model);
    if (other?.kind !== "routed") return other;
    const reason = sent.kind === "declined" ? String(sent.status) : sent.kind;
    if (mayMove) report.failover(reason, lease.backend.name);
    else report.retry(reason);
    if (other.decision !== undefined) report.decided(other.decision);
    return other;
  }

  /**
   * Considers only servers that know the model by the name in the request.
   *
   * @param model a model of the failed server, for a request that names none and went to the only server
   */
  #elsewhere({ exchange, asking, tries }: Outgoing, model: string | undefined): Next {
    const { asked = model } = exchange;
    const { failed } = tries;
    if (asked === undefined) return undefined;
    const route = this.#init.routes.route(asked, { ...asking, failed });
    return route.kind === "routed" || route.kind === "saturated" ? route : undefined;
  }

  #warnOfFailure({ model }: Exchange, backend: Backend, { error, abortReason }: Failure): void {
    if (abortReason === "client gone") return;
    this.#init.brokenAnswers.add(backend, { what: "request", model, error, abortReason });
  }
}

/** After these failures no server has had the request (most likely). */
const NOTHING_LOST: ReadonlySet<Setback> = new Set([
  "connection refused",
  "not connected",
  "stale connection",
]);

const SATURATED = { kind: "saturated" } as const;

/** After these a replica gets no requests for a while: a server that fails at once looks idle and would get them all. */
const COOLED: ReadonlySet<Setback> = new Set([
  "connection refused",
  "not connected",
  "unreachable",
  "died",
]);

function failureOfLast(sent: Unanswered): Failure {
  if (sent.kind !== "declined") return sent;
  const error = new Error(`status ${sent.status}`);
  return { kind: "failed", error, abortReason: undefined, ending: undefined };
}

const NOBODY_ELSE = (): boolean => false;
